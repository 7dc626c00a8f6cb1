# shellcheck shell=bash
# awsrole for bash 4.4 and later: `cd` into a project and this shell holds its AWS role, `cd` out and all is as it was.
#
# At an unchanged prompt and on leaving only builtins run. They are spelled `\builtin NAME`, so that no alias or
# function of yours comes between: an alias of `export` would print the secrets. Secrets stand in the exported
# variables and nowhere else; what the variables held before is kept here, unexported. No secret is ever part of a
# command's text or one of its arguments, because traps see these; and nothing is traced.

# `set -a` would export every function and variable below to each child.
case $- in
  *a*) \builtin set +a; __awsrole_allexport=1 ;;
  *) __awsrole_allexport='' ;;
esac

__awsrole_bin=@BIN@
__awsrole_generations=@GENERATIONS@
__awsrole_expired="awsrole: the role in this shell has expired: this command may be refused, the next prompt renews it
"

# For PS0, see __awsrole_mind_ps0: set at 1, not at 0.
__awsrole_due=([1]=1)

# --- names -----------------------------------------------------------------------------------------------------------

# Each of these two is believed as a whole by the clients, so that a change to one of its members is a change to all.
__awsrole_keys=(@KEYS@)
__awsrole_profiles=(@PROFILES@)

# Whatever else could make a client somebody while the shell is closed.
__awsrole_hidden_if_closed=(@HIDDEN_IF_CLOSED@)

__awsrole_set_if_closed=(@SET_IF_CLOSED@)

# What commands and nested shells may know of what stood there before: no secret, and no half of a pair.
__awsrole_open_if_closed=(@PRIOR_IF_CLOSED@)

# Sourced again, the shell must not forget its way back.
if [[ -z ${__awsrole_state+x} ]]; then
  __awsrole_state=new     # new | outer | role | closed | hands-off
  __awsrole_pending=''    # set while an answer is awaited; still set later: it never came
  __awsrole_off=''        # `off` after `awsrole off`
  __awsrole_use=''        # `awsrole use NAME`, and the file for which it was said
  __awsrole_use_in=''
  __awsrole_failed=''     # names that could not be set, each between spaces
  __awsrole_depth=1       # how many of the files count
  __awsrole_deadline=0    # when to ask again, in epoch seconds; 0: never
  __awsrole_since=0       # when that was said: an earlier time of day is a clock that was set back
  __awsrole_ends=0        # when the role in force ends, in epoch seconds; 0: none, or it has no end
  __awsrole_generation='' # what must be there, see __awsrole_note_generation
  __awsrole_digest=''     # what `hook digest` says of the files that count, if this shell mustn't open one of them
  __awsrole_file='' __awsrole_in_force='' __awsrole_direnv='' __awsrole_at=''
  # (The last one: the files that may be opened.)
  \builtin declare -gA __awsrole_prior __awsrole_ours __awsrole_lifted __awsrole_seen __awsrole_own
fi

__awsrole_say() {
  \builtin printf 'awsrole: %s\n' "$1" >&2
}

# --- find ------------------------------------------------------------------------------------------------------------

# The nearest $1 files named .awsrole.toml from here upward, and for each of them a view: its path and content. Contents
# are compared, not times: two edits within one tick of the clock are two edits. Any kind of file counts, the binary
# explains a directory or a link to nowhere; but a FIFO is never opened, and a huge file read only as far as the binary
# would. What a view begins with tells these cases apart. Where another user could put a FIFO in a file's place between
# the test and the opening, the shell would wait for ever: so it opens only what the binary called the user's own.
__awsrole_look() {
  \builtin local file
  if ! \builtin test "$PWD" = "$__awsrole_at"; then __awsrole_candidates; fi
  __awsrole_files=() __awsrole_views=()
  for file in "${__awsrole_candidates[@]}"; do
    if [[ -e $file || -L $file ]]; then
      __awsrole_files+=("$file")
      if [[ ! -f $file ]]; then __awsrole_views+=("special=$file")
      elif [[ ! -r $file ]]; then __awsrole_views+=("unreadable=$file")
      elif [[ -z ${__awsrole_own["$file"]-} ]]; then __awsrole_views+=("unread=$file")
      else
        __awsrole_read "$file"
        __awsrole_views+=("$__awsrole_view")
      fi
      if ((${#__awsrole_files[@]} >= $1)); then break; fi
    fi
  done
}

# (`read` without a name heeds no IFS. Its status tells a NUL at the end from the end.)
__awsrole_read() {
  \builtin local REPLY
  \builtin read -r -d '' -n 16385 <"$1"
  __awsrole_view=$?=$1=$REPLY
}

# The file that is there until `awsrole allow`, `deny`, `refresh`, `logout` and others are typed, in whichever shell. What
# is noted before files and answers are looked at can't miss any of it.
__awsrole_note_generation() {
  \builtin local - file strict=''
  \builtin set +f
  if \builtin shopt -q failglob; then strict=1; \builtin shopt -u failglob; fi
  __awsrole_generation=''
  for file in "$__awsrole_generations"/*; do
    if [[ $file != *'*' ]]; then __awsrole_generation=$file; fi
  done
  if [[ $strict ]]; then \builtin shopt -s failglob; fi
}

# Was nothing of it typed since? Where there was no such file: is there still none?
__awsrole_heard_nothing() {
  if [[ $__awsrole_generation ]]; then [[ -e $__awsrole_generation ]]
  else
    __awsrole_note_generation
    [[ -z $__awsrole_generation ]]
  fi
}

# Where to look is worked out once for a directory, not at each prompt.
__awsrole_candidates() {
  \builtin local dir="${PWD%/}"
  __awsrole_at=$PWD __awsrole_candidates=("$dir/.awsrole.toml")
  while [[ $dir == */* ]]; do
    dir=${dir%/*}
    __awsrole_candidates+=("$dir/.awsrole.toml")
  done
}

# --- unchanged -------------------------------------------------------------------------------------------------------

# Is all that the last decision rests on as it was? Then it stands: this is what most prompts cost. Everything is looked
# at anew, and in doubt the answer is no; only a link to nowhere that appears between here and the file in force waits
# for the next `cd`. What was seen are keys of a table, because bash finds a key faster than it compares two texts, and
# more exactly than `[[` under nocasematch.
__awsrole_unchanged() {
  # Where the shell is, what was decided, and what of the user's own hand can be remembered: values that are no secrets,
  # and whether the others are there. (Bash takes twice as long for the same in quotes.)
  __awsrole_around=$__awsrole_state$__awsrole_pending${#__awsrole_lifted[@]}/$PWD/${DIRENV_WATCHES-}/${AWS_ACCESS_KEY_ID-}/\
${AWS_CREDENTIAL_EXPIRATION-}/${AWS_SECRET_ACCESS_KEY+s}${AWS_SESSION_TOKEN+s}/${AWS_PROFILE+:$AWS_PROFILE}/\
${AWS_DEFAULT_PROFILE+:$AWS_DEFAULT_PROFILE}
  # (Before bash 5.0 there is no such clock: 0.)
  if [[ -z ${__awsrole_seen["$__awsrole_around"]-} ]] ||
    ((__awsrole_deadline && (EPOCHSECONDS >= __awsrole_deadline || EPOCHSECONDS < __awsrole_since))) ||
    ! __awsrole_in_place; then \builtin return 1; fi
  \builtin local REPLY
  for __awsrole_one in "${__awsrole_present[@]}"; do
    if [[ ! -f $__awsrole_one || ! -r $__awsrole_one ]]; then \builtin return 1; fi
    \builtin read -r -d '' -n 16385 <"$__awsrole_one"
    if [[ -z ${__awsrole_seen["$?=$__awsrole_one=$REPLY"]-} ]]; then \builtin return 1; fi
  done
}

# What was just decided rests on what __awsrole_look saw before.
__awsrole_remember() {
  \builtin local file REPLY count=0 absent=0 places='' foreign=''
  __awsrole_seen=() __awsrole_present=()
  for file in "${__awsrole_candidates[@]}"; do
    if [[ $file == "${__awsrole_files[count]-}" ]]; then
      if [[ -z ${__awsrole_own["$file"]-} ]]; then foreign=1; fi
      __awsrole_present+=("$file")
      __awsrole_seen["${__awsrole_views[count]}"]=1
      if ((++count >= __awsrole_depth)); then \builtin break; fi
    else
      \builtin printf -v "__awsrole_absent_$((++absent))" %s "$file"
      places+=" && ! -e \$__awsrole_absent_$absent"
    fi
  done
  # Written out: a loop over as many places takes twice as long.
  \builtin eval "__awsrole_in_place() { [[ -e \$__awsrole_generation$places ]]; }"
  __awsrole_unchanged # It can't be yet, but it says what is around.
  if [[ -z $foreign ]]; then __awsrole_seen["$__awsrole_around"]=1; fi
}

# --- decide ----------------------------------------------------------------------------------------------------------

# Is what the shell holds still right for what was looked at? If not, __awsrole_event says why. `test` because `[[`
# heeds nocasematch.
__awsrole_fresh() {
  \builtin local REPLY
  __awsrole_event=prompt
  case $__awsrole_state in
    new) \builtin return 1 ;;
    hands-off)
      \builtin test "${__awsrole_files[0]-}" = "$__awsrole_file"
      \builtin return ;;
    outer) if [[ -z ${__awsrole_files[0]-}$__awsrole_file ]]; then \builtin return 0; fi ;;
  esac
  __awsrole_sum_up "$__awsrole_depth"
  if ! __awsrole_heard_nothing || ! \builtin test "$__awsrole_sum" = "$__awsrole_in_force"; then \builtin return 1; fi
  if __awsrole_is_due; then
    if [[ $__awsrole_state == closed ]]; then __awsrole_event=retry; else __awsrole_event=due; fi
    \builtin return 1
  fi
  if [[ $__awsrole_digest ]]; then
    __awsrole_ask_digest
    \builtin test "$REPLY" = "$__awsrole_digest"
  fi
}

# Without an answer it isn't known which files may be opened.
__awsrole_note_digest() {
  \builtin local REPLY
  if [[ -z $__awsrole_digest && "${__awsrole_views[*]:0:__awsrole_depth}" == *unread=* ]]; then
    __awsrole_ask_digest
    __awsrole_digest=$REPLY
  fi
}

# Of the files that count, if one of them isn't opened here. This process is what a prompt costs there.
__awsrole_ask_digest() {
  __awsrole_find_program
  REPLY=$(\builtin exec "$__awsrole_program" 2>&1 </dev/null hook digest -- "${__awsrole_files[@]:0:__awsrole_depth}")
}

# All that was looked at, with the nearest $1 files, as one text.
__awsrole_sum_up() {
  \builtin printf -v __awsrole_sum '%s/' "${__awsrole_views[@]:0:$1}" "${DIRENV_WATCHES-}"
}

__awsrole_is_due() {
  if ((!__awsrole_deadline)); then \builtin return 1; fi
  __awsrole_read_clock
  ((__awsrole_now >= __awsrole_deadline || __awsrole_now < __awsrole_since))
}

__awsrole_read_clock() {
  if [[ $EPOCHSECONDS ]]; then __awsrole_now=$EPOCHSECONDS; else \builtin printf -v __awsrole_now '%(%s)T' -1; fi
}

# --- save, set, hide, restore ----------------------------------------------------------------------------------------

# A prior value is `-` if the name was unset, `:VALUE` if it was a shell variable, `+VALUE` if it was exported.
__awsrole_save() {
  if [[ -n ${__awsrole_prior[$1]+x} ]]; then \builtin return 0; fi
  if [[ -z ${!1+x} ]]; then __awsrole_prior[$1]=-
  elif [[ ${!1@a} == *x* ]]; then __awsrole_prior[$1]=+${!1}
  else __awsrole_prior[$1]=:${!1}; fi
}

# What awsrole left is '' if hidden, `:VALUE` if set; of a secret only `*`, lest it stand in the shell twice.
# It is written down first: Ctrl-C in between leaves a record without a value, never a value without a record.
# The value is in __awsrole_value, or for what is no secret the second argument: arguments and `$_` are what traps see.
__awsrole_set() { # NAME [VALUE]
  if (($# == 2)); then
    \builtin local __awsrole_value
    __awsrole_value=$2
  fi
  if [[ ${!1@a} == *r* ]]; then
    __awsrole_fail "$1"
    \builtin return 0
  fi
  __awsrole_save "$1"
  # Read-only without a value. Closed, not /dev/null: that one may be missing, and then nothing could be closed.
  case $1 in
    AWS_SECRET_ACCESS_KEY | AWS_SESSION_TOKEN)
      __awsrole_ours[$1]='*'
      \builtin eval "$1=\$__awsrole_value" 2>&- && \builtin export "${1?}" ;;
    *)
      __awsrole_ours[$1]=:$__awsrole_value
      \builtin export "$1=$__awsrole_value" 2>&- ;;
  esac || __awsrole_fail "$1"
}

__awsrole_hide() {
  if __awsrole_readonly "$1"; then \builtin return 0; fi
  __awsrole_save "$1"
  __awsrole_ours[$1]=''
  \builtin unset -v "$1"
}

# Asked beforehand: a failing `export NAME=VALUE` exports the value that stands there.
__awsrole_readonly() {
  if [[ ${!1@a} == *r* ]]; then __awsrole_fail "$1"; else \builtin return 1; fi
}

__awsrole_fail() {
  if [[ $__awsrole_failed != *" $1 "* ]]; then __awsrole_failed+=" $1 "; fi
}

__awsrole_forget() {
  \builtin unset -v "__awsrole_prior[$1]" "__awsrole_ours[$1]"
}

__awsrole_forget_keys() {
  \builtin local name
  for name in "${__awsrole_keys[@]}"; do __awsrole_forget "$name"; done
}

# Does the name hold what awsrole left there?
__awsrole_intact() {
  if [[ ${__awsrole_ours[$1]-} == '*' ]]; then [[ -n ${!1+x} ]]
  else \builtin test "${!1+:${!1}}" = "${__awsrole_ours[$1]-}"; fi
}

__awsrole_restore() {
  \builtin local __awsrole_value
  __awsrole_value=${__awsrole_prior[$1]}
  if [[ ${!1@a} == *r* ]]; then __awsrole_say "$1 is read-only and can't be given back its former value"
  elif [[ $__awsrole_value == - ]]; then \builtin unset -v "$1"
  else
    \builtin eval "$1=\${__awsrole_value:1}"
    if [[ $__awsrole_value == +* ]]; then \builtin export "${1?}"; else \builtin export -n "${1?}"; fi
  fi
  __awsrole_forget "$1"
}

# Leaving: every name that still holds what awsrole left there gets its prior value, each by itself; but the user's own
# keys come back together or, if one of them was changed, not at all. (While an answer is pending nobody changed them,
# they are half set.)
__awsrole_undo() {
  \builtin local name
  for name in "${__awsrole_keys[@]}"; do
    if [[ -z $__awsrole_pending && -n ${__awsrole_prior[$name]+x} ]] && ! __awsrole_intact "$name"; then
      __awsrole_forget_keys
    fi
  done
  for name in "${!__awsrole_prior[@]}"; do
    if __awsrole_intact "$name"; then __awsrole_restore "$name"; fi
  done
  __awsrole_prior=() __awsrole_ours=() __awsrole_lifted=() __awsrole_ends=0
}

# --- the user's own hand ---------------------------------------------------------------------------------------------

# Keys or profile changed inside the project: ours go, theirs stay, and awsrole keeps out of it until the user leaves.
# A change that direnv made is not the user's: it is the outer environment that changed, and freshness sees to it.
__awsrole_mind_changes() {
  case $__awsrole_state in role | closed) ;; *) \builtin return 0 ;; esac
  if ((${#__awsrole_lifted[@]})); then \builtin return 0; fi
  \builtin local name changed='' keys=''
  for name in "${__awsrole_keys[@]}" "${__awsrole_profiles[@]}"; do
    if [[ -n ${__awsrole_prior[$name]+x} ]] && ! __awsrole_intact "$name"; then
      changed=$name
      case $name in *_PROFILE) __awsrole_forget "$name" ;; *) keys=1 ;; esac
    fi
  done
  if [[ -z $changed ]]; then \builtin return 0; fi
  # Pasted together with a key id, the others are theirs; but no token belongs to a long-term key.
  if [[ $keys ]] && ! __awsrole_intact AWS_ACCESS_KEY_ID && [[ ${AWS_ACCESS_KEY_ID-} ]]; then
    __awsrole_forget AWS_SECRET_ACCESS_KEY
    if [[ $AWS_ACCESS_KEY_ID != AKIA* ]]; then __awsrole_forget AWS_SESSION_TOKEN; fi
  fi
  for name in "${!__awsrole_prior[@]}"; do
    if ! __awsrole_intact "$name"; then __awsrole_forget "$name"
    else case $name in
      AWS_ACCESS_KEY_ID | AWS_SECRET_ACCESS_KEY | AWS_SESSION_TOKEN | AWS_CREDENTIAL_EXPIRATION)
        __awsrole_hide "$name"; if [[ $keys ]]; then __awsrole_forget "$name"; fi ;;
      AWS_PROFILE | AWS_DEFAULT_PROFILE) __awsrole_hide "$name" ;;
      *) __awsrole_restore "$name" ;;
    esac; fi
  done
  if ! \builtin test "${DIRENV_WATCHES-}" = "$__awsrole_direnv"; then \builtin return 0; fi
  __awsrole_state=hands-off __awsrole_ends=0
  __awsrole_look 1
  if \builtin test "${__awsrole_files[0]-}" = "$__awsrole_file"; then
    __awsrole_say "$changed was changed by hand: awsrole keeps its hands off here until \`awsrole refresh\` or until you leave"
  fi
}

# --- close -----------------------------------------------------------------------------------------------------------

# Nobody's credentials: with the variables merely unset, clients would fall back to [default] or to the instance's role.
__awsrole_close() {
  \builtin local name
  # (With an inherited `closed` that was never taken over, the parent's word for it stays.)
  if [[ ${AWSROLE_STATE-} != closed ]]; then
    for name in "${__awsrole_open_if_closed[@]}"; do
      if [[ -n ${!name+x} && ${!name@a} == *x* ]]; then __awsrole_set "AWSROLE_PRIOR_$name" "${!name}"; fi
    done
  fi
  for name in "${__awsrole_hidden_if_closed[@]}"; do __awsrole_hide "$name"; done
  # A command or a nested shell goes on with what `awsrole use` chose here, and for which file.
  if [[ $__awsrole_use ]]; then __awsrole_set AWSROLE_CHOSEN "$__awsrole_use_in=$__awsrole_use"; fi
  for name in "${__awsrole_set_if_closed[@]}"; do __awsrole_set "${name%%=*}" "${name#*=}"; done
  __awsrole_state=closed __awsrole_pending=''
  __awsrole_read_clock
  __awsrole_since=$__awsrole_now __awsrole_deadline=$((__awsrole_now + 30))
}

# --- sync ------------------------------------------------------------------------------------------------------------

# The binary is asked from the outer environment (so that awsrole can't become its own source), and everything that the
# answer will be compared with is on record before it starts. Ctrl-C throws bash out of here: what it comes back to is
# the mark `pending`, not a loop. An answer whose last statement was never reached isn't half an answer, it is none.
__awsrole_sync() {
  \builtin local event="$1" file answer='' problem
  \builtin local -a arguments
  arguments=(hook export bash --event "$1" --snippet @BUILD@ --views)
  if [[ $event == cd ]] && ((!BASH_SUBSHELL)); then arguments+=(--ask); fi
  if ! \builtin test "${__awsrole_files[0]-}" = "$__awsrole_use_in"; then __awsrole_use=''; fi
  if [[ -n $__awsrole_use ]]; then arguments+=(--role "$__awsrole_use"); fi

  __awsrole_note_generation
  __awsrole_state=new # until all is undone
  __awsrole_undo
  __awsrole_look 1000
  __awsrole_sum_up 1000
  __awsrole_file=${__awsrole_files[0]-} __awsrole_direnv=${DIRENV_WATCHES-} __awsrole_in_force=$__awsrole_sum __awsrole_depth=1000
  __awsrole_state=outer __awsrole_deadline=0 __awsrole_failed='' __awsrole_digest='' __awsrole_whose=() __awsrole_texts=()
  if [[ -z $__awsrole_file ]]; then __awsrole_own=(); fi
  if [[ -z $__awsrole_file && -z ${AWSROLE_STATE+x} ]]; then \builtin return 0; fi

  __awsrole_pending=1
  if [[ -f $__awsrole_bin && -x $__awsrole_bin ]]; then
    __awsrole_find_program
    # (`exec`: bash would fork twice.)
    answer=$(\builtin exec "$__awsrole_program" "${arguments[@]}" -- "${__awsrole_files[@]}" </dev/null)
    __awsrole_apply
    problem="no complete answer: this shell holds no credentials here (hint: \`awsrole refresh\` asks again)"
  else
    problem="$__awsrole_bin is gone: this directory's role can't be had (hint: reinstall awsrole or open a new shell)"
  fi
  if [[ $__awsrole_pending ]]; then
    __awsrole_undo
    __awsrole_close
    __awsrole_note_digest
    if [[ $__awsrole_failed ]]; then
      problem="${__awsrole_failed//  /, } read-only in this shell: it holds no credentials here"
    fi
    if [[ $event != retry ]]; then __awsrole_say "${problem# }"; fi
  fi
}

__awsrole_find_program() {
  __awsrole_program=$__awsrole_bin
  if [[ -f $__awsrole_bin-hook && -x $__awsrole_bin-hook ]]; then __awsrole_program+=-hook; fi
}

# Applies `answer`. Its statements are taken apart rather than evaluated: evaluated, each would be the text of a command.
# Split at its quotes, it is alternately what stands outside of them and inside. A quote in a value, `'\''`, leaves the
# backslash and nothing outside, one after the other.
__awsrole_apply() {
  \builtin local - part statement='' __awsrole_value='' quoted='' inside='' IFS="'"
  \builtin local -a parts words
  \builtin set -f
  # shellcheck disable=SC2206 # split at each quote
  parts=($answer$'\n')
  IFS=' '
  for part in "${parts[@]}"; do
    if [[ $inside ]]; then __awsrole_value+=$part quoted=1 inside=''; \builtin continue; fi
    if [[ $part == \\ ]]; then __awsrole_value+="'"; \builtin continue; fi
    while [[ $part == *$'\n'* ]]; do
      # shellcheck disable=SC2206 # no name has a space
      words=($statement${part%%$'\n'*})
      case ${words[0]-}:${#words[@]}:$quoted in
        __awsrole_set:2:1 | __awsrole_hide:2: | __awsrole_adopt:3:* | __awsrole_chose:1:1) "${words[@]}" ;;
        __awsrole_file:3:* | __awsrole_digest:2: | __awsrole_done:4:) "${words[@]}" ;;
        :0:) ;;
        *) \builtin return 0 ;;
      esac
      part=${part#*$'\n'} statement='' __awsrole_value='' quoted=''
    done
    statement+=$part inside=1
  done
}

# The statements of an answer: __awsrole_set, __awsrole_hide, and these. What stands in quotes is __awsrole_value.

# Whether this shell may open a file, and the text that the binary found there before it decided.
__awsrole_file() { # NUMBER own|shared
  __awsrole_whose[$1]=$2
  if [[ $quoted ]]; then __awsrole_texts[$1]=$__awsrole_value; fi
}

__awsrole_digest() { # DIGEST
  __awsrole_digest=$1
}

# An inherited value is the parent shell's doing: what stood there before it becomes this shell's outer environment.
__awsrole_adopt() { # NAME unset|exported
  if __awsrole_readonly "$1"; then \builtin return 0; fi
  if [[ $2 == unset ]]; then \builtin unset -v "$1"
  else
    \builtin eval "$1=\${3-\$__awsrole_value}"
    \builtin export "${1?}"
  fi
}

# A nested shell goes on with the role that was chosen in its parent.
__awsrole_chose() {
  __awsrole_use=${1-$__awsrole_value} __awsrole_use_in=$__awsrole_file
}

__awsrole_done() { # STATE DEADLINE DEPTH
  __awsrole_take_views
  __awsrole_sum_up "$3"
  __awsrole_depth=$3 __awsrole_in_force=$__awsrole_sum
  if [[ $__awsrole_failed ]]; then \builtin return 0; fi
  __awsrole_state=$1 __awsrole_pending=''
  __awsrole_read_clock
  __awsrole_since=$__awsrole_now
  case $1:${AWSROLE_EXPIRES-} in
    role: | role:*[!0-9]*) ;;
    role:*) __awsrole_ends=$((10#$AWSROLE_EXPIRES)) ;;
    closed:*) __awsrole_close ;;
  esac
  if (($2)) || [[ $1 != closed ]]; then __awsrole_deadline=$2; fi
}

# What wasn't read before is seen as the binary saw it. (What is no text it doesn't hand over.)
__awsrole_take_views() {
  \builtin local number file view
  __awsrole_own=()
  for number in "${!__awsrole_whose[@]}"; do
    file=${__awsrole_files[number - 1]} view=${__awsrole_views[number - 1]}
    case ${__awsrole_whose[number]}:$view in
      own:unread=*)
        if [[ -n ${__awsrole_texts[number]+x} ]]; then __awsrole_view=1=$file=${__awsrole_texts[number]}
        else __awsrole_read "$file"; fi ;;
      shared:[01]=*) __awsrole_view=unread=$file ;;
      *) __awsrole_view=$view ;;
    esac
    __awsrole_views[number - 1]=$__awsrole_view
    if [[ ${__awsrole_whose[number]} == own ]]; then __awsrole_own["$file"]=1; fi
  done
}

# --- hooks -----------------------------------------------------------------------------------------------------------

__awsrole_hook() { # prompt | cd | typed
  if [[ $__awsrole_off ]]; then \builtin return 0; fi
  if [[ $__awsrole_pending ]]; then
    __awsrole_undo
    __awsrole_close
    __awsrole_note_digest
    __awsrole_say "interrupted: this shell holds no credentials here (hint: \`awsrole refresh\` asks again)"
  fi
  __awsrole_mind_changes
  # Here nothing hangs on what was typed.
  case $__awsrole_state:$__awsrole_file in hands-off:* | outer:) __awsrole_note_generation ;; esac
  __awsrole_look "$__awsrole_depth"
  if __awsrole_fresh; then
    if ((${#__awsrole_lifted[@]})); then __awsrole_lay; fi
  else
    # Moving about inside a project isn't entering it.
    case $1 in
      typed) __awsrole_event='cd' ;;
      cd) if [[ $__awsrole_state == new ]] || ! \builtin test "${__awsrole_files[0]-}" = "$__awsrole_file"; then __awsrole_event='cd'; fi ;;
    esac
    __awsrole_sync "$__awsrole_event"
  fi
  __awsrole_remember
  __awsrole_mind_direnv
  __awsrole_mind_ps0
}

# direnv loads and unloads at the prompt and must find the environment that it left: so awsrole's values are lifted off
# before it and laid back after it, over whatever it made of the environment. For a moment they stand unexported.
__awsrole_mind_direnv() { # It may have come since.
  if [[ "${PROMPT_COMMAND[*]}" == *_direnv_hook* && ${PROMPT_COMMAND[0]} != __awsrole_lift* ]]; then
    # shellcheck disable=SC2178 # a string before bash 5.1
    if __awsrole_bash 501; then PROMPT_COMMAND=(__awsrole_lift "${PROMPT_COMMAND[@]}")
    else PROMPT_COMMAND=__awsrole_lift$'\n'${PROMPT_COMMAND[0]}; fi
  fi
}

__awsrole_lift() {
  __awsrole_status=$?
  \builtin local - name
  \builtin set +aekuxvET
  \builtin export -n __awsrole_status
  __awsrole_mind_changes
  case $__awsrole_state in role | closed)
    for name in "${!__awsrole_prior[@]}"; do
      if __awsrole_intact "$name"; then
        __awsrole_lifted[$name]=${!name+:${!name}}
        __awsrole_restore "$name"
      else __awsrole_forget "$name"; fi
    done ;;
  esac
  if ((${#PROMPT_COMMAND[@]} < 2)); then \builtin return "$__awsrole_status"; fi
}

__awsrole_lay() {
  \builtin local name __awsrole_value
  for name in "${!__awsrole_lifted[@]}"; do
    __awsrole_value=${__awsrole_lifted[$name]:1}
    case ${__awsrole_lifted[$name]} in
      '') __awsrole_hide "$name" ;;
      *) __awsrole_set "$name" ;;
    esac
  done
  __awsrole_lifted=()
}

# bash keeps `$?` and PIPESTATUS for each element of PROMPT_COMMAND; inside a string the status has to be handed on,
# though not under `set -e`, which would end the shell. (Elsewhere it would set off an ERR trap a second time.)
__awsrole_prompt() {
  __awsrole_status=$?
  case $- in *[aekuxvET]*)
    case $- in *e*) __awsrole_status=0 ;; esac
    \builtin local -
    \builtin set +aekuxvET
    \builtin export -n __awsrole_status ;;
  esac
  __awsrole_unchanged || __awsrole_hook prompt
  if ((__awsrole_status && ${#PROMPT_COMMAND[@]} < 2)); then \builtin return "$__awsrole_status"; fi
}

# After `cd`, so that in `cd x && terraform plan` the role is there. Completion functions change directory in a
# subshell just to look around.
__awsrole_moved() {
  \builtin local -
  \builtin set +aekuxvET
  if ((BASH_SUBSHELL)) && [[ -n ${COMP_POINT+x} ]]; then \builtin return 0; fi
  __awsrole_hook cd
}

# While the prompt sat there, the role may have fallen due. Only bash 5.3 can run this in the shell itself, from PS0; in
# an older one the next `cd` or prompt sees to it, because a DEBUG trap would be in the way of the user's own. But PS0 can
# warn there without a process: it shows nothing of a text, or all of it. `\D{%s}` is the time. Bash 5.3, too, asks by mere
# expansion whether anything is due: a function would set off a DEBUG trap before each command, and be unknown to a
# child that inherits PS0.
__awsrole_mind_ps0() { # The user may have set it since.
  if [[ ${PS0-} == *__awsrole_* || ${PS0@a} == *r* ]] || ! \builtin shopt -q promptvars; then \builtin return 0; fi
  # shellcheck disable=SC2016 # expanded before each command
  if __awsrole_bash 503; then PS0=${PS0-}'${__awsrole_due[__awsrole_deadline && (\D{%s} >= __awsrole_deadline || \D{%s} < __awsrole_since)]:+${ __awsrole_before_command; }}'
  else PS0=${PS0-}'${__awsrole_expired:0:(__awsrole_ends && \D{%s} >= __awsrole_ends) * 999}'; fi
}

__awsrole_before_command() {
  \builtin local -
  \builtin set +aekuxvET
  if __awsrole_is_due; then __awsrole_hook prompt; fi
}

__awsrole_bash() { # Is this bash at least version $1?
  ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] >= $1))
}

__awsrole_register() {
  \builtin local - name
  \builtin set +eux
  for name in cd pushd popd; do
    # Only where the user has none of their own; theirs are followed at the next prompt.
    if ! { \builtin declare -F "$name" || \builtin alias "$name"; } >/dev/null 2>&1; then
      \builtin eval "$name() { \\builtin $name \"\$@\" && __awsrole_moved; }"
    fi
  done
  # A `cd` that mise or rvm defines, now or later, calls these.
  if [[ "${chpwd_functions[*]-}" != *__awsrole_moved* ]]; then chpwd_functions+=(__awsrole_moved); fi
  if [[ "${PROMPT_COMMAND[*]}" != *__awsrole_prompt* ]]; then
    # As an element of its own; before bash 5.1 on a line of its own, which no trailing `;` of a neighbour can spoil.
    # shellcheck disable=SC2178 # a string in that bash
    if __awsrole_bash 501; then PROMPT_COMMAND=("${PROMPT_COMMAND[@]-}" __awsrole_prompt)
    else PROMPT_COMMAND=${PROMPT_COMMAND:+${PROMPT_COMMAND[0]}$'\n'}__awsrole_prompt; fi
  fi
}

# --- the command -----------------------------------------------------------------------------------------------------

__awsrole_command() {
  \builtin local - status event chosen
  \builtin set +aekuxvET
  status=0 event=typed chosen=''
  __awsrole_mind_changes
  case $#:${1-}:${2-} in
    1:off:) # no process, no word
      __awsrole_undo
      __awsrole_off=off __awsrole_state=new __awsrole_pending='' __awsrole_use=''
      \builtin return 0 ;;
    1:on:) __awsrole_off='' __awsrole_state=new ;;
    1:use: | 2:use:[!-]* | 2:use:-)
      chosen=${2-}
      # A slip of the fingers takes no role away.
      if (($# == 1)); then chosen=$("$__awsrole_bin" use) || \builtin return
      elif [[ $2 != - ]]; then chosen=$("$__awsrole_bin" hook choose "$2") || \builtin return; fi
      __awsrole_look 1
      __awsrole_off='' __awsrole_state=new __awsrole_use=${chosen#-} __awsrole_use_in=${__awsrole_files[0]-}
      __awsrole_hook typed
      [[ $__awsrole_state != closed ]]
      \builtin return ;;
    *)
      AWSROLE_HOOK=${__awsrole_off:-on} "$__awsrole_bin" "$@"
      status=$?
      case ${1-} in
        refresh) __awsrole_state=new ;;
        logout) event=prompt ;; # whoever logs out isn't asking for the role again
      esac ;;
  esac
  __awsrole_hook "$event"
  \builtin return "$status"
}

# For prompts, and only when they ask: the time left, such as `59m`, in REPLY; without a role nothing. No subshell.
awsrole_left() {
  REPLY=''
  # An inherited text isn't calculated with: bash would run what stands in it.
  case ${AWSROLE_STATE+:}${AWSROLE_EXPIRES-} in : | [!:]* | '' | :*[!0-9]*) \builtin return 0 ;; esac
  __awsrole_read_clock
  \builtin local left
  left=$((10#$AWSROLE_EXPIRES - __awsrole_now))
  if ((left <= 0)); then REPLY=expired
  elif ((left < 60)); then REPLY=${left}s
  elif ((left < 3600)); then REPLY=$((left / 60))m
  else REPLY=$((left / 3600))h$((left / 60 % 60))m; fi
}

# Scripts that source this get nothing: no hook, no command, no change.
case $- in
  *i*)
    awsrole() { __awsrole_command "$@" || \builtin return; } # one failure for an ERR trap, not two
    __awsrole_register ;;
esac

if [[ $__awsrole_allexport ]]; then \builtin set -a; fi
