# awsrole for zsh 5.8 and later: `cd` into a project and this shell holds its AWS role, `cd` out and all is as it was.
#
# At an unchanged prompt and on leaving only builtins run. They are spelled `\builtin NAME`, so that no alias or
# function of yours comes between: an alias of `export` would print the secrets. Secrets stand in the exported
# variables and nowhere else; what the variables held before is kept here, unexported. No secret is ever part of a
# command's text or one of its arguments, because traps see these; and nothing is traced.

# sysread takes a file as it is, with its NULs and its last newlines; EPOCHSECONDS is the clock.
\builtin zmodload zsh/system zsh/datetime

# --- names -----------------------------------------------------------------------------------------------------------

# Every entry from outside begins with `emulate`: known options, nothing traced, nothing exported by itself, no aliases,
# and traps that are changed are as they were when it returns.
__awsrole_start() {
  \builtin emulate -LR zsh -o no_aliases
  \builtin typeset -g __awsrole_bin=@BIN@ __awsrole_generations=@GENERATIONS@

  # Each of these two is believed as a whole by the clients, so that a change to one member is a change to all.
  \builtin typeset -ga __awsrole_keys __awsrole_profiles
  __awsrole_keys=(@KEYS@)
  __awsrole_profiles=(@PROFILES@)

  # Whatever else could make a client somebody while the shell is closed.
  \builtin typeset -ga __awsrole_hidden_if_closed
  __awsrole_hidden_if_closed=(@HIDDEN_IF_CLOSED@)

  \builtin typeset -ga __awsrole_set_if_closed
  __awsrole_set_if_closed=(@SET_IF_CLOSED@)

  # What commands and nested shells may know of what stood there before: no secret, and no half of a pair.
  \builtin typeset -ga __awsrole_open_if_closed
  __awsrole_open_if_closed=(@PRIOR_IF_CLOSED@)

  # Where the shell is, what was decided, and what of the user's own hand can be remembered: values that are no secrets,
  # and whether the others are there.
  \builtin typeset -g __awsrole_where='$__awsrole_state$__awsrole_pending$#__awsrole_lifted $PWD ${DIRENV_WATCHES-} '
  __awsrole_where+='${AWS_ACCESS_KEY_ID-} ${AWS_CREDENTIAL_EXPIRATION-} ${AWS_SECRET_ACCESS_KEY+s}${AWS_SESSION_TOKEN+s} '
  __awsrole_where+='${AWS_PROFILE+:$AWS_PROFILE} ${AWS_DEFAULT_PROFILE+:$AWS_DEFAULT_PROFILE}'

  # Sourced again, the shell must not forget its way back.
  if (( ${+__awsrole_state} )); then return 0; fi
  \builtin typeset -g __awsrole_state=new # new | outer | role | closed | hands-off
  \builtin typeset -g __awsrole_pending=  # set while an answer is awaited; still set later: it never came
  \builtin typeset -g __awsrole_off=      # `off` after `awsrole off`
  \builtin typeset -g __awsrole_use= __awsrole_use_in= # `awsrole use NAME`, and the file for which it was said
  \builtin typeset -ga __awsrole_failed   # names that could not be set
  \builtin typeset -g __awsrole_depth=1    # how many of the files count
  \builtin typeset -g __awsrole_deadline=0 # when to ask again, in epoch seconds; 0: never
  \builtin typeset -g __awsrole_since=0    # when that was said: an earlier time of day is a clock that was set back
  \builtin typeset -g __awsrole_file= __awsrole_in_force= __awsrole_direnv= __awsrole_at=
  \builtin typeset -g __awsrole_generation= # what must be there, see __awsrole_note_generation
  \builtin typeset -g __awsrole_digest=     # what `hook digest` says of the files that count, if this shell mustn't open one of them
  \builtin typeset -g __awsrole_sum= __awsrole_event= __awsrole_program= __awsrole_view=
  \builtin typeset -ga __awsrole_whose
  \builtin typeset -gA __awsrole_own __awsrole_texts
  \builtin typeset -ga __awsrole_candidates __awsrole_files __awsrole_views __awsrole_absent __awsrole_farther __awsrole_present
  \builtin typeset -gA __awsrole_prior __awsrole_ours __awsrole_lifted __awsrole_seen
}

__awsrole_say() {
  \builtin print -r -u2 -- "awsrole: $1"
}

# --- find ------------------------------------------------------------------------------------------------------------

# The nearest $1 files named .awsrole.toml from here upward, and for each of them a view: its path and content. Contents
# are compared, not times: two edits within one tick of the clock are two edits. Any kind of file counts, the binary
# explains a directory or a link to nowhere; but a FIFO is never opened, and a huge file read only as far as the binary
# would. What a view begins with tells these cases apart. Where another user could put a FIFO in a file's place between
# the test and the opening, the shell would wait for ever: so it opens only what the binary called the user's own.
__awsrole_look() {
  \builtin local file
  if [[ $PWD != "$__awsrole_at" ]]; then __awsrole_candidates; fi
  __awsrole_files=() __awsrole_views=()
  for file in $__awsrole_candidates; do
    if [[ -e $file || -L $file ]]; then
      __awsrole_files+=("$file")
      if [[ ! -f $file ]]; then __awsrole_views+=("special=$file")
      elif [[ ! -r $file ]]; then __awsrole_views+=("unreadable=$file")
      elif [[ -z ${__awsrole_own[$file]} ]]; then __awsrole_views+=("unread=$file")
      else
        __awsrole_read $file
        __awsrole_views+=("$__awsrole_view")
      fi
      if (( $#__awsrole_files >= $1 )); then break; fi
    fi
  done
}

__awsrole_read() {
  \builtin local text=
  \builtin sysread -s 16385 text <$1
  __awsrole_view="$1=$text"
}

# The file that is there until `awsrole allow`, `deny`, `refresh`, `logout` and others are typed, in whichever shell. What
# is noted before files and answers are looked at can't miss any of it.
__awsrole_note_generation() {
  \builtin local -a found
  \builtin setopt null_glob # for this function
  found=($__awsrole_generations/*)
  __awsrole_generation=$found[1]
}

# Was nothing of it typed since? Where there was no such file: is there still none?
__awsrole_heard_nothing() {
  if [[ -n $__awsrole_generation ]]; then [[ -e $__awsrole_generation ]]
  else
    __awsrole_note_generation
    [[ -z $__awsrole_generation ]]
  fi
}

# Where to look is worked out once for a directory, not at each prompt.
__awsrole_candidates() {
  \builtin local dir=${PWD%/}
  __awsrole_at=$PWD __awsrole_candidates=("$dir/.awsrole.toml")
  while [[ $dir == */* ]]; do
    dir=${dir%/*}
    __awsrole_candidates+=("$dir/.awsrole.toml")
  done
}

# --- unchanged -------------------------------------------------------------------------------------------------------

# Is all that the last decision rests on as it was? Then it stands: this is what most prompts cost. Everything is looked
# at anew, and in doubt the answer is no; only a link to nowhere that appears between here and the file in force waits
# for the next `cd`. What was seen are keys of a table. (To call a function costs zsh as much as a third of this, and to
# go round a loop as much as to look for a file: hence one function, with the eight nearest places written out.)
__awsrole_precmd() {
  \builtin emulate -LR zsh -o no_aliases
  \builtin local file text count around=${(e)__awsrole_where}
  while (( ${+__awsrole_seen[$around]} &&
    (! __awsrole_deadline || EPOCHSECONDS < __awsrole_deadline && EPOCHSECONDS >= __awsrole_since) )) &&
    [[ -e $__awsrole_generation &&
    ! -e $__awsrole_absent[1] && ! -e $__awsrole_absent[2] && ! -e $__awsrole_absent[3] && ! -e $__awsrole_absent[4] &&
    ! -e $__awsrole_absent[5] && ! -e $__awsrole_absent[6] && ! -e $__awsrole_absent[7] && ! -e $__awsrole_absent[8] ]]
  do
    for file in $__awsrole_farther; do
      if [[ -e $file ]]; then break 2; fi
    done
    for file in $__awsrole_present; do
      if [[ ! -f $file || ! -r $file ]]; then break 2; fi
      text=
      # (Room for 16 KiB would cost zsh more than the reading. An empty file is a failure, and none for an ERR trap.)
      \builtin sysread -s 4096 -c count text <$file || \builtin :
      if (( count == 4096 )); then \builtin sysread -s 16385 text <$file; fi
      if (( ! ${+__awsrole_seen[$file=$text]} )); then break 2; fi
    done
    return 0
  done
  __awsrole_unseen __awsrole_hook prompt
}

# What was just decided rests on what __awsrole_look saw before.
__awsrole_remember() {
  \builtin local file count=0 foreign=
  __awsrole_seen=() __awsrole_absent=() __awsrole_present=()
  for file in $__awsrole_candidates; do
    if [[ $file == "$__awsrole_files[count+1]" ]]; then
      if [[ -z ${__awsrole_own[$file]} ]]; then foreign=1; fi
      __awsrole_present+=("$file")
      __awsrole_seen[$__awsrole_views[++count]]=1
      if (( count >= __awsrole_depth )); then break; fi
    else __awsrole_absent+=("$file"); fi
  done
  __awsrole_farther=($__awsrole_absent[9,-1])
  if [[ -z $foreign ]]; then __awsrole_seen[${(e)__awsrole_where}]=1; fi
}

# --- decide ----------------------------------------------------------------------------------------------------------

# Is what the shell holds still right for what was looked at? If not, __awsrole_event says why.
__awsrole_fresh() {
  __awsrole_event=prompt
  case $__awsrole_state in
    new) return 1 ;;
    hands-off)
      [[ $__awsrole_files[1] == "$__awsrole_file" ]]
      return ;;
    outer) if [[ -z $__awsrole_files[1]$__awsrole_file ]]; then return 0; fi ;;
  esac
  __awsrole_sum_up $__awsrole_depth
  if ! __awsrole_heard_nothing || [[ $__awsrole_sum != "$__awsrole_in_force" ]]; then return 1; fi
  if __awsrole_is_due; then
    if [[ $__awsrole_state == closed ]]; then __awsrole_event=retry; else __awsrole_event=due; fi
    return 1
  fi
  [[ -z $__awsrole_digest || "$(__awsrole_ask_digest)" == "$__awsrole_digest" ]]
}

# Of the files that count, if one of them isn't opened here. This process is what a prompt costs there.
__awsrole_ask_digest() {
  __awsrole_find_program
  $__awsrole_program 2>&1 </dev/null hook digest -- $__awsrole_files[1,$__awsrole_depth]
}

# Without an answer it isn't known which files may be opened.
__awsrole_note_digest() {
  if [[ -z $__awsrole_digest && "$__awsrole_views[1,$__awsrole_depth]" == *unread=* ]]; then
    __awsrole_digest=$(__awsrole_ask_digest)
  fi
}

# All that was looked at, with the nearest $1 files, as one text.
__awsrole_sum_up() {
  \builtin printf -v __awsrole_sum '%s/' "${(@)__awsrole_views[1,$1]}" "${DIRENV_WATCHES-}"
}

__awsrole_is_due() {
  (( __awsrole_deadline && (EPOCHSECONDS >= __awsrole_deadline || EPOCHSECONDS < __awsrole_since) ))
}

# --- save, set, hide, restore ----------------------------------------------------------------------------------------

# A prior value is `-` if the name was unset, `:VALUE` if it was a shell variable, `+VALUE` if it was exported.
__awsrole_save() {
  if (( ${+__awsrole_prior[$1]} )); then return 0; fi
  if (( ! ${(P)+1} )); then __awsrole_prior[$1]=-
  elif [[ ${(Pt)1} == *export* ]]; then __awsrole_prior[$1]="+${(P)1}"
  else __awsrole_prior[$1]=":${(P)1}"; fi
}

# What awsrole left is '' if hidden, `:VALUE` if set; of a secret only `*`, lest it stand in the shell twice.
# It is written down first: Ctrl-C in between leaves a record without a value, never a value without a record.
# The value is in __awsrole_value, or for what is no secret the second argument: arguments and `$_` are what traps see.
__awsrole_set() { # NAME [VALUE]
  if (( $# == 2 )); then
    \builtin local __awsrole_value=$2
  fi
  if __awsrole_readonly "$1"; then return 0; fi
  __awsrole_save "$1"
  case $1 in
    AWS_SECRET_ACCESS_KEY | AWS_SESSION_TOKEN) __awsrole_ours[$1]='*' ;;
    *) __awsrole_ours[$1]=":$__awsrole_value" ;;
  esac
  \builtin typeset -gx "$1"
  \builtin eval "$1=\$__awsrole_value"
}

__awsrole_hide() {
  if __awsrole_readonly "$1"; then return 0; fi
  __awsrole_save "$1"
  __awsrole_ours[$1]=
  \builtin unset -v "$1"
}

# Asked beforehand, because zsh gives up everything up to the prompt when a read-only variable is assigned.
__awsrole_readonly() {
  if [[ ${(Pt)1} != *readonly* ]]; then return 1; fi
  __awsrole_failed+=("$1")
}

__awsrole_forget() {
  \builtin unset "__awsrole_prior[$1]" "__awsrole_ours[$1]"
}

# Does the name hold what awsrole left there?
__awsrole_intact() {
  if [[ ${__awsrole_ours[$1]} == '*' ]]; then (( ${(P)+1} ))
  else [[ "${(P)1+:${(P)1}}" == "${__awsrole_ours[$1]}" ]]; fi
}

__awsrole_restore() {
  \builtin local __awsrole_value
  __awsrole_value=${__awsrole_prior[$1]}
  if [[ ${(Pt)1} == *readonly* ]]; then __awsrole_say "$1 is read-only and can't be given back its former value"
  elif [[ $__awsrole_value == - ]]; then \builtin unset -v "$1"
  else
    if [[ $__awsrole_value == +* ]]; then \builtin typeset -gx "$1"; else \builtin typeset -g +x "$1"; fi
    \builtin eval "$1=\${__awsrole_value#?}"
  fi
  __awsrole_forget "$1"
}

# Leaving: every name that still holds what awsrole left there gets its prior value, each by itself; but the user's own
# keys come back together or, if one of them was changed, not at all. (While an answer is pending nobody changed them,
# they are half set.)
__awsrole_undo() {
  \builtin local name
  for name in $__awsrole_keys; do
    if [[ -z $__awsrole_pending ]] && (( ${+__awsrole_prior[$name]} )) && ! __awsrole_intact $name; then
      for name in $__awsrole_keys; do __awsrole_forget $name; done
    fi
  done
  for name in ${(k)__awsrole_prior}; do
    if __awsrole_intact $name; then __awsrole_restore $name; fi
  done
  __awsrole_prior=() __awsrole_ours=() __awsrole_lifted=()
}

# --- the user's own hand ---------------------------------------------------------------------------------------------

# Keys or profile changed inside the project: ours go, theirs stay, and awsrole keeps out of it until the user leaves.
# A change that direnv made is not the user's: it is the outer environment that changed, and freshness sees to it.
__awsrole_mind_changes() {
  if [[ $__awsrole_state != role && $__awsrole_state != closed ]] || (( $#__awsrole_lifted )); then return 0; fi
  \builtin local name changed= keys=
  for name in $__awsrole_keys $__awsrole_profiles; do
    if (( ${+__awsrole_prior[$name]} )) && ! __awsrole_intact $name; then
      changed=$name
      if (( ${__awsrole_keys[(Ie)$name]} )); then keys=1; fi
    fi
  done
  if [[ -z $changed ]]; then return 0; fi
  # Pasted together with a key id, the others are theirs; but no token belongs to a long-term key.
  if [[ -n $keys && -n ${AWS_ACCESS_KEY_ID-} ]] && ! __awsrole_intact AWS_ACCESS_KEY_ID; then
    __awsrole_forget AWS_SECRET_ACCESS_KEY
    if [[ $AWS_ACCESS_KEY_ID != AKIA* ]]; then __awsrole_forget AWS_SESSION_TOKEN; fi
  fi
  for name in ${(k)__awsrole_prior}; do
    if ! __awsrole_intact $name; then __awsrole_forget $name
    elif (( ${__awsrole_keys[(Ie)$name]} )); then
      __awsrole_hide $name
      if [[ -n $keys ]]; then __awsrole_forget $name; fi
    elif (( ${__awsrole_profiles[(Ie)$name]} )); then __awsrole_hide $name
    else __awsrole_restore $name; fi
  done
  if [[ ${DIRENV_WATCHES-} != "$__awsrole_direnv" ]]; then return 0; fi
  __awsrole_state=hands-off
  __awsrole_look 1
  if [[ $__awsrole_files[1] == "$__awsrole_file" ]]; then
    __awsrole_say "$changed was changed manually: awsrole is inactive here until you leave (or \`awsrole refresh\`)"
  fi
}

# --- close -----------------------------------------------------------------------------------------------------------

# Nobody's credentials: with the variables merely unset, clients would fall back to [default] or to the instance's role.
__awsrole_close() {
  \builtin local name
  # (With an inherited `closed` that was never taken over, the parent's word for it stays.)
  if [[ ${AWSROLE_STATE-} != closed ]]; then
    for name in $__awsrole_open_if_closed; do
      if [[ ${(Pt)name} == *export* ]]; then __awsrole_set AWSROLE_PRIOR_$name "${(P)name}"; fi
    done
  fi
  for name in $__awsrole_hidden_if_closed; do __awsrole_hide $name; done
  # A command or a nested shell goes on with what `awsrole use` chose here, and for which file.
  if [[ -n $__awsrole_use ]]; then __awsrole_set AWSROLE_CHOSEN "$__awsrole_use_in=$__awsrole_use"; fi
  for name in $__awsrole_set_if_closed; do __awsrole_set "${name%%=*}" "${name#*=}"; done
  __awsrole_state=closed __awsrole_pending= __awsrole_since=$EPOCHSECONDS
  __awsrole_deadline=$(( __awsrole_since + 30 ))
}

# --- sync ------------------------------------------------------------------------------------------------------------

# The binary is asked from the outer environment (so that awsrole can't become its own source), and everything that the
# answer will be compared with is on record before it starts. Ctrl-C ends all functions, and the rest of `cd x && cmd`
# with them: what zsh comes back to is the mark `pending`, not a loop. An answer whose last statement was never reached
# isn't half an answer, it is none.
__awsrole_sync() {
  \builtin local event=$1 answer problem
  \builtin local -a arguments
  arguments=(hook export zsh --event $event --snippet @BUILD@ --views)
  # A question belongs to a `cd` that was typed: not to one in a subshell, a widget or a completion.
  if [[ $event == cd && -z ${WIDGET-} ]] && (( ! ZSH_SUBSHELL )); then arguments+=(--ask); fi
  if [[ ${__awsrole_files[1]} != "$__awsrole_use_in" ]]; then __awsrole_use=; fi
  if [[ -n $__awsrole_use ]]; then arguments+=(--role $__awsrole_use); fi

  __awsrole_note_generation
  __awsrole_state=new # until all is undone
  __awsrole_undo
  __awsrole_look 1000
  __awsrole_sum_up 1000
  __awsrole_file=$__awsrole_files[1] __awsrole_direnv=${DIRENV_WATCHES-} __awsrole_in_force=$__awsrole_sum __awsrole_depth=1000
  __awsrole_state=outer __awsrole_deadline=0 __awsrole_failed=() __awsrole_digest= __awsrole_whose=() __awsrole_texts=()
  if [[ -z $__awsrole_file ]]; then __awsrole_own=(); fi
  if [[ -z $__awsrole_file ]] && (( ! ${+AWSROLE_STATE} )); then return 0; fi

  __awsrole_pending=1
  if [[ -f $__awsrole_bin && -x $__awsrole_bin ]]; then
    __awsrole_find_program
    answer=$($__awsrole_program $arguments -- $__awsrole_files </dev/null)
    __awsrole_apply
    problem="no complete answer: this shell holds no credentials here (hint: \`awsrole refresh\` asks again)"
  else
    problem="$__awsrole_bin is gone: this directory's role can't be had (hint: reinstall awsrole or open a new shell)"
  fi
  if [[ -n $__awsrole_pending ]]; then
    __awsrole_undo
    __awsrole_close
    __awsrole_note_digest
    if (( $#__awsrole_failed )); then
      problem="${(j:, :)${(u)__awsrole_failed}} read-only in this shell: it holds no credentials here"
    fi
    if [[ $event != retry ]]; then __awsrole_say "$problem"; fi
  fi
}

__awsrole_find_program() {
  __awsrole_program=$__awsrole_bin
  if [[ -f $__awsrole_bin-hook && -x $__awsrole_bin-hook ]]; then __awsrole_program+=-hook; fi
}

# Applies `answer`. Its statements are taken apart rather than evaluated: evaluated, each would be the text of a command.
# zsh tells the words; an end of line is a `;`, and one in quotes has them still.
__awsrole_apply() {
  \builtin local word __awsrole_value quoted
  \builtin local -a statement
  for word in "${(@z)answer}" ';'; do
    case $word in
      "'"*) __awsrole_value=${(Q)word} quoted=1; continue ;;
      [^\;]*) statement+=($word); continue ;;
    esac
    case $statement[1]:$#statement:$quoted in
      __awsrole_set:2:1 | __awsrole_hide:2: | __awsrole_adopt:3:* | __awsrole_chose:1:1 |\
      __awsrole_file:3:* | __awsrole_digest:2: | __awsrole_done:4:) $statement ;;
      :0:) ;;
      *) return 0 ;;
    esac
    statement=() quoted=
  done
}

# The statements of an answer: __awsrole_set, __awsrole_hide, and these. What stands in quotes is __awsrole_value.

# Whether this shell may open a file, and the text that the binary found there before it decided.
__awsrole_file() { # NUMBER own|shared
  __awsrole_whose[$1]=$2
  if [[ -n $quoted ]]; then __awsrole_texts[$1]=$__awsrole_value; fi
}

__awsrole_digest() { # DIGEST
  __awsrole_digest=$1
}

# An inherited value is the parent shell's doing: what stood there before it becomes this shell's outer environment.
__awsrole_adopt() { # NAME unset|exported
  if __awsrole_readonly "$1"; then return 0; fi
  if [[ $2 == unset ]]; then \builtin unset -v "$1"
  else
    \builtin typeset -gx "$1"
    \builtin eval "$1=\${3-\$__awsrole_value}"
  fi
}

# A nested shell goes on with the role that was chosen in its parent.
__awsrole_chose() {
  __awsrole_use=${1-$__awsrole_value} __awsrole_use_in=$__awsrole_file
}

__awsrole_done() { # STATE DEADLINE DEPTH
  __awsrole_take_views
  __awsrole_sum_up $3
  __awsrole_depth=$3 __awsrole_in_force=$__awsrole_sum
  if (( $#__awsrole_failed )); then return 0; fi
  __awsrole_state=$1 __awsrole_pending=
  __awsrole_since=$EPOCHSECONDS
  if [[ $1 == closed ]]; then __awsrole_close; fi
  if [[ $2 != 0 || $1 != closed ]]; then __awsrole_deadline=$2; fi
}

# What wasn't read before is seen as the binary saw it. (What is no text it doesn't hand over.)
__awsrole_take_views() {
  \builtin local number file
  __awsrole_own=()
  for (( number = 1; number <= $#__awsrole_whose; number++ )); do
    file=$__awsrole_files[number] __awsrole_view=$__awsrole_views[number]
    if [[ $__awsrole_whose[number] == own ]]; then
      __awsrole_own[$file]=1
      if [[ $__awsrole_view == "unread=$file" ]]; then
        if (( ${+__awsrole_texts[$number]} )); then __awsrole_view="$file=${__awsrole_texts[$number]}"; else __awsrole_read $file; fi
      fi
    elif [[ $__awsrole_view == "$file="* ]]; then __awsrole_view="unread=$file"; fi
    __awsrole_views[number]=$__awsrole_view
  done
}

# --- hooks -----------------------------------------------------------------------------------------------------------

# Calls what deals with values: without the user's traps for each command and each failure (`emulate -L` brings them back)
# and without the traces that `functions -t` turns on, which `emulate` alone leaves as they are.
__awsrole_unseen() { # FUNCTION ARGUMENT
  \builtin emulate -LR zsh -o no_aliases -o no_xtrace
  \builtin trap - DEBUG ZERR
  \builtin functions +tT -m '__awsrole_*'
  "$@"
}

__awsrole_hook() { # prompt | cd | typed
  if [[ -n $__awsrole_off ]]; then return 0; fi
  if [[ -n $__awsrole_pending ]]; then
    __awsrole_undo
    __awsrole_close
    __awsrole_note_digest
    __awsrole_say "interrupted: this shell holds no credentials here (hint: \`awsrole refresh\` asks again)"
  fi
  __awsrole_mind_changes
  # Here nothing hangs on what was typed.
  case $__awsrole_state:$__awsrole_file in hands-off:* | outer:) __awsrole_note_generation ;; esac
  __awsrole_look $__awsrole_depth
  if __awsrole_fresh; then
    if (( $#__awsrole_lifted )); then __awsrole_lay; fi
  else
    # Moving about inside a project isn't entering it.
    if [[ $1 == typed || $1 == cd && ( $__awsrole_state == new || $__awsrole_files[1] != "$__awsrole_file" ) ]]; then
      __awsrole_event=cd
    fi
    __awsrole_sync $__awsrole_event
  fi
  __awsrole_remember
  # direnv may have come since.
  if (( ${precmd_functions[(I)_direnv_hook]} && ! ${precmd_functions[(I)__awsrole_lift]} )); then __awsrole_register; fi
}

# direnv loads and unloads in its own hooks and must find the environment that it left: so awsrole's values are lifted
# off before it and laid back after it, over whatever it made of the environment. For a moment they stand unexported.
__awsrole_lift() {
  __awsrole_unseen __awsrole_lift_all
}

__awsrole_lift_all() {
  \builtin local name
  __awsrole_mind_changes
  case $__awsrole_state in role | closed) ;; *) return 0 ;; esac
  for name in ${(k)__awsrole_prior}; do
    if __awsrole_intact $name; then
      __awsrole_lifted[$name]="${(P)name+:${(P)name}}"
      __awsrole_restore $name
    else __awsrole_forget $name; fi
  done
}

__awsrole_lay() {
  \builtin local name __awsrole_value
  for name in ${(k)__awsrole_lifted}; do
    __awsrole_value=${__awsrole_lifted[$name]#?}
    case ${__awsrole_lifted[$name]} in
      '') __awsrole_hide $name ;;
      *) __awsrole_set $name ;;
    esac
  done
  __awsrole_lifted=()
}

# After `cd`, so that in `cd x && terraform plan` the role is there. Completion functions change directory in a
# subshell just to look around.
__awsrole_chpwd() {
  \builtin emulate -LR zsh -o no_aliases
  if (( ZSH_SUBSHELL )) && [[ -n ${WIDGET-} ]]; then return 0; fi
  __awsrole_unseen __awsrole_hook cd
}

# While the prompt sat there, the role may have fallen due; and Ctrl-C at a prompt's hooks leaves them half done.
__awsrole_preexec() {
  \builtin emulate -LR zsh -o no_aliases
  if [[ -n $__awsrole_pending ]] || (( $#__awsrole_lifted )) || __awsrole_is_due; then
    __awsrole_unseen __awsrole_hook prompt
  fi
}

# First of all, so that a theme's own hook sees the new values; but around direnv, wherever that stands.
__awsrole_register() {
  \builtin typeset -ga precmd_functions chpwd_functions preexec_functions
  __awsrole_place precmd_functions __awsrole_precmd
  __awsrole_place chpwd_functions __awsrole_chpwd
  __awsrole_place preexec_functions __awsrole_preexec
}

__awsrole_place() { # ARRAY FUNCTION
  \builtin local -a others
  others=(${${${(P)1}:#$2}:#__awsrole_lift})
  \builtin local direnv=${others[(ie)_direnv_hook]}
  if (( direnv > $#others )); then \builtin set -A $1 $2 $others
  else \builtin set -A $1 ${others[1,direnv-1]} __awsrole_lift _direnv_hook $2 ${others[direnv+1,-1]}; fi
}

# --- the command -----------------------------------------------------------------------------------------------------

__awsrole_command() {
  \builtin local code=0 event=typed chosen=
  __awsrole_mind_changes
  case $#:${1-}:${2-} in
    1:off:) # no process, no word
      __awsrole_undo
      __awsrole_off=off __awsrole_state=new __awsrole_pending= __awsrole_use=
      return 0 ;;
    1:on:) __awsrole_off= __awsrole_state=new ;;
    1:use:|2:use:[^-]*|2:use:-)
      chosen=${2-}
      # A slip of the fingers takes no role away.
      if (( $# == 1 )); then chosen=$($__awsrole_bin use) || return
      elif [[ $2 != - ]]; then chosen=$($__awsrole_bin hook choose "$2") || return; fi
      __awsrole_look 1
      __awsrole_off= __awsrole_state=new __awsrole_use=${chosen#-} __awsrole_use_in=${__awsrole_files[1]}
      __awsrole_hook typed
      [[ $__awsrole_state != closed ]]
      return ;;
    *)
      AWSROLE_HOOK=${__awsrole_off:-on} $__awsrole_bin "$@"
      code=$?
      case ${1-} in
        refresh) __awsrole_state=new ;;
        logout) event=prompt ;; # whoever logs out isn't asking for the role again
      esac ;;
  esac
  __awsrole_hook $event
  return code
}

# For prompts, and only when they ask: the time left, such as `59m`, in REPLY; without a role nothing. No subshell.
awsrole_left() {
  \builtin emulate -L zsh -o no_aliases
  REPLY=
  # An inherited text isn't calculated with.
  if (( ! ${+AWSROLE_STATE} )) || [[ ${AWSROLE_EXPIRES-} != <1-> ]]; then return 0; fi
  \builtin local left=$(( AWSROLE_EXPIRES - EPOCHSECONDS ))
  if (( left <= 0 )); then REPLY=expired
  elif (( left < 60 )); then REPLY=${left}s
  elif (( left < 3600 )); then REPLY=$(( left / 60 ))m
  else REPLY=$(( left / 3600 ))h$(( left / 60 % 60 ))m; fi
}

# Scripts that source this get nothing: no hook, no command, no change.
if [[ -o interactive ]]; then
  __awsrole_start
  awsrole() { __awsrole_unseen __awsrole_command "$@" }
  () {
    \builtin emulate -LR zsh -o no_aliases
    __awsrole_register
  }
fi
