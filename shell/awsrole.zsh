# awsrole for zsh 5.8 and later: `cd` into a project and this shell holds its AWS role, `cd` out and all is as it was.
#
# At an unchanged prompt and on leaving only builtins run. They are spelled `\builtin NAME`, so that no alias or
# function of yours comes between: an alias of `export` would print the secrets. Secrets stand in the exported
# variables and nowhere else; what the variables held before is kept here, unexported.

# sysread takes a file as it is, with its NULs and its last newlines; EPOCHSECONDS is the clock.
\builtin zmodload zsh/system zsh/datetime

# --- names -----------------------------------------------------------------------------------------------------------

# Every entry from outside begins with `emulate`: known options, nothing traced, nothing exported by itself, and no
# aliases in what is eval'd.
__awsrole_start() {
  \builtin emulate -LR zsh -o no_aliases
  \builtin typeset -g __awsrole_bin=@BIN@ __awsrole_generations=@GENERATIONS@

  # Each of these two is believed as a whole by the clients, so that a change to one member is a change to all.
  \builtin typeset -ga __awsrole_keys __awsrole_profiles
  __awsrole_keys=(AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_CREDENTIAL_EXPIRATION)
  __awsrole_profiles=(AWS_PROFILE AWS_DEFAULT_PROFILE)

  # Whatever else could make a client somebody while the shell is closed.
  \builtin typeset -ga __awsrole_hidden_if_closed
  __awsrole_hidden_if_closed=(
    AWS_SESSION_TOKEN AWS_CREDENTIAL_EXPIRATION AWS_DEFAULT_PROFILE AWS_SECURITY_TOKEN AWS_ACCESS_KEY AWS_SECRET_KEY
    SECRET_ACCESS_KEY AWS_BEARER_TOKEN_BEDROCK AWS_ACCOUNT_ID AWS_CONTAINER_CREDENTIALS_RELATIVE_URI AWS_CONTAINER_CREDENTIALS_FULL_URI
    AWS_CONTAINER_AUTHORIZATION_TOKEN AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE AWS_WEB_IDENTITY_TOKEN_FILE AWS_ROLE_ARN
    AWS_ROLE_SESSION_NAME AWSROLE_ROLE AWSROLE_ACCOUNT_ID AWSROLE_ACCOUNT AWSROLE_COLOR AWSROLE_EXPIRES AWSROLE_CHOSEN
  )

  # What commands and nested shells may know of what stood there before: no secret, and no half of a pair.
  \builtin typeset -ga __awsrole_open_if_closed
  __awsrole_open_if_closed=(
    AWS_PROFILE AWS_DEFAULT_PROFILE AWS_ACCOUNT_ID AWS_EC2_METADATA_DISABLED AWS_CONTAINER_CREDENTIALS_RELATIVE_URI
    AWS_CONTAINER_CREDENTIALS_FULL_URI AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE AWS_WEB_IDENTITY_TOKEN_FILE AWS_ROLE_ARN
    AWS_ROLE_SESSION_NAME
  )

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
  \builtin typeset -g __awsrole_sum= __awsrole_event=
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
# would. What a view begins with tells these cases apart.
__awsrole_look() {
  \builtin local file text
  if [[ $PWD != "$__awsrole_at" ]]; then __awsrole_candidates; fi
  __awsrole_files=() __awsrole_views=()
  for file in $__awsrole_candidates; do
    if [[ -e $file || -L $file ]]; then
      __awsrole_files+=("$file")
      if [[ ! -f $file ]]; then __awsrole_views+=("special=$file")
      elif [[ ! -r $file ]]; then __awsrole_views+=("unreadable=$file")
      else
        text=
        \builtin sysread -s 16385 text <$file
        __awsrole_views+=("$file=$text")
      fi
      if (( $#__awsrole_files >= $1 )); then break; fi
    fi
  done
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
      # (Room for 16 KiB would cost zsh more than the reading.)
      \builtin sysread -s 4096 -c count text <$file
      if (( count == 4096 )); then \builtin sysread -s 16385 text <$file; fi
      if (( ! ${+__awsrole_seen[$file=$text]} )); then break 2; fi
    done
    return 0
  done
  __awsrole_hook prompt
}

# What was just decided rests on what __awsrole_look saw before.
__awsrole_remember() {
  \builtin local file count=0
  __awsrole_seen=() __awsrole_absent=() __awsrole_present=()
  for file in $__awsrole_candidates; do
    if [[ $file == "$__awsrole_files[count+1]" ]]; then
      __awsrole_present+=("$file")
      __awsrole_seen[$__awsrole_views[++count]]=1
      if (( count >= __awsrole_depth )); then break; fi
    else __awsrole_absent+=("$file"); fi
  done
  __awsrole_farther=($__awsrole_absent[9,-1])
  __awsrole_seen[${(e)__awsrole_where}]=1
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
__awsrole_set() {
  if __awsrole_readonly "$1"; then return 0; fi
  __awsrole_save "$1"
  case $1 in
    AWS_SECRET_ACCESS_KEY | AWS_SESSION_TOKEN) __awsrole_ours[$1]='*' ;;
    *) __awsrole_ours[$1]=":$2" ;;
  esac
  \builtin typeset -gx "$1=$2"
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
  if [[ ${(Pt)1} == *readonly* ]]; then __awsrole_say "$1 is read-only and can't be given back its former value"
  else case ${__awsrole_prior[$1]} in
    -) \builtin unset -v "$1" ;;
    +*) \builtin typeset -gx "$1=${__awsrole_prior[$1]#?}" ;;
    *) \builtin typeset -g +x "$1=${__awsrole_prior[$1]#?}" ;;
  esac; fi
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
    __awsrole_say "$changed was changed by hand: awsrole keeps its hands off here until \`awsrole refresh\` or until you leave"
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
  for name in AWS_PROFILE AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY; do __awsrole_set $name awsrole-no-role; done
  __awsrole_set AWS_EC2_METADATA_DISABLED true
  # A command or a nested shell goes on with what `awsrole use` chose here, and for which file.
  if [[ -n $__awsrole_use ]]; then __awsrole_set AWSROLE_CHOSEN "$__awsrole_use_in=$__awsrole_use"; fi
  __awsrole_set AWSROLE_STATE closed
  __awsrole_state=closed __awsrole_pending= __awsrole_since=$EPOCHSECONDS
  __awsrole_deadline=$(( __awsrole_since + 30 ))
}

# --- sync ------------------------------------------------------------------------------------------------------------

# The binary is asked from the outer environment (so that awsrole can't become its own source), and everything that the
# answer will be compared with is on record before it starts. Ctrl-C ends all functions, and the rest of `cd x && cmd`
# with them: what zsh comes back to is the mark `pending`, not a loop. An answer whose last statement was never reached
# isn't half an answer, it is none.
__awsrole_sync() {
  \builtin local event=$1 answer problem program=$__awsrole_bin
  \builtin local -a arguments
  arguments=(hook export zsh --event $event --snippet @BUILD@)
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
  __awsrole_state=outer __awsrole_deadline=0 __awsrole_failed=()
  if [[ -z $__awsrole_file ]] && (( ! ${+AWSROLE_STATE} )); then return 0; fi

  __awsrole_pending=1
  if [[ -f $__awsrole_bin && -x $__awsrole_bin ]]; then
    if [[ -f $__awsrole_bin-hook && -x $__awsrole_bin-hook ]]; then program+=-hook; fi
    answer=$($program $arguments -- $__awsrole_files </dev/null)
    # A syntax error would quote what it stumbled over.
    \builtin eval "$answer" 2>/dev/null
    problem="no complete answer: this shell holds no credentials here (hint: \`awsrole refresh\` asks again)"
  else
    problem="$__awsrole_bin is gone: this directory's role can't be had (hint: reinstall awsrole or open a new shell)"
  fi
  if [[ -n $__awsrole_pending ]]; then
    __awsrole_undo
    __awsrole_close
    if (( $#__awsrole_failed )); then
      problem="${(j:, :)${(u)__awsrole_failed}} read-only in this shell: it holds no credentials here"
    fi
    if [[ $event != retry ]]; then __awsrole_say "$problem"; fi
  fi
}

# The statements of an answer: __awsrole_set, __awsrole_hide, and these two.

# An inherited value is the parent shell's doing: what stood there before it becomes this shell's outer environment.
__awsrole_adopt() { # NAME unset | NAME exported VALUE
  if __awsrole_readonly "$1"; then return 0; fi
  if [[ $2 == unset ]]; then \builtin unset -v "$1"; else \builtin typeset -gx "$1=$3"; fi
}

# A nested shell goes on with the role that was chosen in its parent.
__awsrole_chose() { # NAME
  __awsrole_use=$1 __awsrole_use_in=$__awsrole_file
}

__awsrole_done() { # STATE DEADLINE DEPTH
  if (( $#__awsrole_failed )); then return 0; fi
  __awsrole_sum_up $3
  __awsrole_state=$1 __awsrole_depth=$3 __awsrole_in_force=$__awsrole_sum __awsrole_pending=
  __awsrole_since=$EPOCHSECONDS
  if [[ $1 == closed ]]; then __awsrole_close; fi
  if [[ $2 != 0 || $1 != closed ]]; then __awsrole_deadline=$2; fi
}

# --- hooks -----------------------------------------------------------------------------------------------------------

__awsrole_hook() { # prompt | cd | typed
  if [[ -n $__awsrole_off ]]; then return 0; fi
  if [[ -n $__awsrole_pending ]]; then
    __awsrole_undo
    __awsrole_close
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
  \builtin emulate -LR zsh -o no_aliases
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
  \builtin local name
  for name in ${(k)__awsrole_lifted}; do
    case ${__awsrole_lifted[$name]} in
      '') __awsrole_hide $name ;;
      *) __awsrole_set $name "${__awsrole_lifted[$name]#?}" ;;
    esac
  done
  __awsrole_lifted=()
}

# After `cd`, so that in `cd x && terraform plan` the role is there. Completion functions change directory in a
# subshell just to look around.
__awsrole_chpwd() {
  \builtin emulate -LR zsh -o no_aliases
  if (( ZSH_SUBSHELL )) && [[ -n ${WIDGET-} ]]; then return 0; fi
  __awsrole_hook cd
}

# While the prompt sat there, the role may have fallen due; and Ctrl-C at a prompt's hooks leaves them half done.
__awsrole_preexec() {
  \builtin emulate -LR zsh -o no_aliases
  if [[ -n $__awsrole_pending ]] || (( $#__awsrole_lifted )) || __awsrole_is_due; then __awsrole_hook prompt; fi
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
  \builtin emulate -LR zsh -o no_aliases
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
  awsrole() { __awsrole_command "$@" }
  () {
    \builtin emulate -LR zsh -o no_aliases
    __awsrole_register
  }
fi
