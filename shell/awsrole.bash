# shellcheck shell=bash disable=SC2178,SC2206 # no word has a space
# awsrole for bash 4.4 or later. `cd` into a project assumes its AWS role, `cd` out restores the environment.
# An unchanged prompt and leaving run builtins only, written `\builtin NAME`: an alias or a function called `export`
# would print secrets. Secrets are in exported variables alone and never part of a command's text or arguments, which
# traps see. Local variables have the prefix, too: a readonly variable of the user's stops no function.

case $- in *a*) \builtin set +a; __awsrole_allexport=1 ;; *) __awsrole_allexport='' ;; esac # `set -a` exports functions

# --- names -----------------------------------------------------------------------------------------------------------
# Filled in by `awsrole hook bash`. Clients use all keys together, and all profiles: a change to one is a change to all.
# The last three are what a blocked shell hides and sets, and the names of which it exports the prior value.
__awsrole_bin=@BIN@ __awsrole_generations=@GENERATIONS@
__awsrole_keys=(@KEYS@) __awsrole_profiles=(@PROFILES@)
__awsrole_hidden_if_blocked=(@HIDDEN_IF_BLOCKED@)
__awsrole_set_if_blocked=(@SET_IF_BLOCKED@)
__awsrole_prior_if_blocked=(@PRIOR_IF_BLOCKED@)

# Sourced again, the shell keeps what it needs to leave.
if [[ -z ${__awsrole_state+x} ]]; then
  __awsrole_state=new # new | outer | role | blocked | hands-off
  __awsrole_pending='' # not empty while an answer is awaited; later: it never came
  __awsrole_prompted='' # the directory of the last prompt
  __awsrole_asked=''   # for what `awsrole` left the decision to the next prompt
  __awsrole_off='' __awsrole_use='' __awsrole_use_in='' # `awsrole off`; `awsrole use`, and the file it was typed for,
  __awsrole_previous='' # and what `awsrole use -` goes back to: a role's name, `-` for the default role, or `-off`
  __awsrole_depth=1 __awsrole_at='' # how many files count, and the directory from which they were searched
  __awsrole_file='' __awsrole_direnv='' __awsrole_in_force='' # last decision: nearest file, DIRENV_WATCHES, views
  __awsrole_seen='' __awsrole_digest='' __awsrole_generation='' # what stays the same while the decision stands
  __awsrole_deadline=0 __awsrole_since=0 # when it is made anew (0: never), and when that was set
  \builtin declare -gA __awsrole_prior __awsrole_ours __awsrole_own __awsrole_lifted __awsrole_failed
fi
__awsrole_say() { \builtin printf 'awsrole: %s\n' "$1" >&2; }

# --- find ------------------------------------------------------------------------------------------------------------
# Finds the files that count, nearest first, and the places on the way that have none. A file of any kind counts.
__awsrole_look() {
  \builtin local __awsrole_dir="${PWD%/}"
  __awsrole_at=$PWD __awsrole_files=() __awsrole_absent=()
  while __awsrole_place=$__awsrole_dir/.awsrole.toml; do
    if [[ -e $__awsrole_place || -L $__awsrole_place ]]; then __awsrole_files+=("$__awsrole_place")
    else __awsrole_absent+=("$__awsrole_place"); fi
    if [[ $__awsrole_dir != */* ]] || ((${#__awsrole_files[@]} >= __awsrole_depth)); then \builtin break; fi
    __awsrole_dir=${__awsrole_dir%/*}
  done
}

# Appends what is at each file to __awsrole_views: contents, because two edits may have the same time. The status tells
# a NUL from the end. Another user may replace a file by a FIFO: it is opened only if the binary called it `own`.
__awsrole_view() { # FILE …
  for __awsrole_place; do
    if [[ ! -f $__awsrole_place || ! -r $__awsrole_place ]]; then __awsrole_views+=/no-text=$__awsrole_place
    elif [[ ${__awsrole_own["$__awsrole_place"]-} ]]; then
      IFS='' \builtin read -r -d '' -n 16385 __awsrole_text <"$__awsrole_place"
      __awsrole_views+=/$?=$__awsrole_place=$__awsrole_text
    else __awsrole_views+=/unread=$__awsrole_place; fi
  done
}

# Notes the file that `awsrole allow`, `deny`, `refresh`, `logout` and others rename.
__awsrole_note_generation() {
  \builtin local - __awsrole_options="$BASHOPTS"
  \builtin set +f; \builtin shopt -u failglob
  __awsrole_generation=''
  for __awsrole_generation in "$__awsrole_generations"/*; do :; done
  if [[ ! -e $__awsrole_generation ]]; then __awsrole_generation=''; fi
  if [[ $__awsrole_options == *failglob* ]]; then \builtin shopt -s failglob; fi
}

# --- unchanged -------------------------------------------------------------------------------------------------------
# Puts everything on which a decision rests into __awsrole_print; of secrets only whether they are set.
__awsrole_fingerprint() {
  __awsrole_print=$__awsrole_state/${DIRENV_WATCHES-}/$__awsrole_views
  case $__awsrole_state in
    hands-off) __awsrole_print=${__awsrole_files[0]-} ;;
    role | blocked)
      __awsrole_print+=/${AWS_ACCESS_KEY_ID-}/${AWS_SECRET_ACCESS_KEY+s}${AWS_SESSION_TOKEN+s}/\
${AWS_CREDENTIAL_EXPIRATION-}/${AWS_PROFILE+:$AWS_PROFILE}/${AWS_DEFAULT_PROFILE+:$AWS_DEFAULT_PROFILE} ;;
  esac
}

# Takes the present fingerprint. Each place is tested for a file once; a link to nowhere is found on the next move.
__awsrole_examine() {
  if ! \builtin test "$PWD" = "$__awsrole_at"; then __awsrole_look; fi
  for __awsrole_place in "${__awsrole_absent[@]}"; do
    if [[ -e $__awsrole_place ]]; then __awsrole_look; \builtin break; fi
  done
  __awsrole_views=''
  __awsrole_view "${__awsrole_files[@]}"
  __awsrole_fingerprint
}

# Does the last decision stand? If not, __awsrole_event says why it is made anew. (`[[` would heed nocasematch.)
__awsrole_unchanged() {
  __awsrole_event=prompt
  __awsrole_examine
  \builtin test "$__awsrole_print" = "$__awsrole_seen" || \builtin return 1
  if [[ $__awsrole_generation ]]; then [[ -e $__awsrole_generation ]]
  else __awsrole_note_generation; [[ -z $__awsrole_generation ]]; fi || \builtin return 1
  if __awsrole_is_due; then
    case $__awsrole_state in blocked) __awsrole_event=retry ;; *) __awsrole_event=due ;; esac
    \builtin return 1
  fi
  if [[ -z $__awsrole_digest ]]; then \builtin return 0; fi
  __awsrole_ask hook digest -- "${__awsrole_files[@]}" 2>/dev/null
  \builtin test "$__awsrole_answer" = "$__awsrole_digest"
}

__awsrole_is_due() {
  __awsrole_now=$EPOCHSECONDS
  if [[ -z $EPOCHSECONDS ]]; then \builtin printf -v __awsrole_now '%(%s)T' -1; fi # before bash 5.0
  ((__awsrole_deadline && (__awsrole_now >= __awsrole_deadline || __awsrole_now < __awsrole_since)))
}

# --- save and restore ------------------------------------------------------------------------------------------------
# A prior value is `-` if the name was unset, `:VALUE` if it was a shell variable, `+VALUE` if it was exported.
__awsrole_save() {
  if [[ ${!1@a} == *r* ]]; then __awsrole_failed[$1]=1; \builtin return 1; fi
  if [[ ${__awsrole_prior[$1]+x} ]]; then \builtin return 0; fi
  if [[ -z ${!1+x} ]]; then __awsrole_prior[$1]=-
  elif [[ ${!1@a} == *x* ]]; then __awsrole_prior[$1]=+${!1}
  else __awsrole_prior[$1]=:${!1}; fi
}

# The value is in __awsrole_value, or the second argument if it is no secret. What awsrole left is noted first, so that
# Ctrl-C leaves a note without a value, never a value without a note: '' if hidden, `:VALUE` if set, `*` for a secret.
__awsrole_set() { # NAME [VALUE]
  if (($# > 1)); then \builtin local __awsrole_value; __awsrole_value=$2; fi
  __awsrole_hide "$1" || \builtin return 0
  case $1 in
    AWS_SECRET_ACCESS_KEY | AWS_SESSION_TOKEN) __awsrole_ours[$1]='*' ;;
    *) __awsrole_ours[$1]=:$__awsrole_value ;;
  esac
  { \builtin eval "$1=\$__awsrole_value" && \builtin export "${1?}"; } 2>&- || __awsrole_failed[$1]=1
}

# Local and temporary variables of this name are removed as well: the prior value is that of the last, global one, which
# is declared so that it shows if it has none.
__awsrole_hide() { # NAME
  \builtin local __awsrole_known="${__awsrole_prior[$1]+x}"
  __awsrole_save "$1" || \builtin return
  __awsrole_ours[$1]=''
  \builtin declare -g "$1"
  while \builtin unset -v "$1" && \builtin declare -p "$1" >/dev/null 2>&1; do
    [[ $__awsrole_known ]] || \builtin unset -v "__awsrole_prior[$1]"
    __awsrole_save "$1"
  done
}

# Does the name hold what awsrole left there?
__awsrole_intact() {
  [[ ${__awsrole_ours[$1]-} == '*' && ${!1+x} ]] || \builtin test "${!1+:${!1}}" = "${__awsrole_ours[$1]-}"
}

# (Globally: a function of the user's may have a local variable of this name.)
__awsrole_restore() {
  if [[ ${!1@a} == *r* ]]; then __awsrole_say "$1 is readonly: its prior value cannot be restored"
  else
    case ${__awsrole_prior[$1]} in
      -) \builtin unset -v "$1" ;;
      +*) \builtin declare -gx "$1=${__awsrole_prior[$1]:1}" ;;
      *) \builtin declare -g +x "$1=${__awsrole_prior[$1]:1}" ;;
    esac
  fi
  \builtin unset -v "__awsrole_prior[$1]" "__awsrole_ours[$1]"
}

# Lists the credential variables that don't hold what awsrole left there, as options. The binary decides which stay.
__awsrole_find_changes() {
  \builtin local __awsrole_name
  __awsrole_changes=() __awsrole_changed='' __awsrole_keys_changed=''
  for __awsrole_name in "${__awsrole_keys[@]}" "${__awsrole_profiles[@]}"; do
    if [[ -z ${__awsrole_prior[$__awsrole_name]+x} ]] || __awsrole_intact "$__awsrole_name"; then \builtin continue; fi
    __awsrole_changes+=(--changed "$__awsrole_name") __awsrole_changed=$__awsrole_name
    if [[ $__awsrole_name != *PROFILE ]]; then __awsrole_keys_changed=keys; fi
  done
}

# Leaving: what awsrole left is replaced by the prior values, of the keys all or none. (Pending keys are half set.)
__awsrole_undo() {
  \builtin local __awsrole_name
  __awsrole_find_changes
  if [[ $__awsrole_keys_changed && -z $__awsrole_pending ]]; then
    for __awsrole_name in "${__awsrole_keys[@]}"; do \builtin unset -v "__awsrole_prior[$__awsrole_name]"; done
  fi
  for __awsrole_name in "${!__awsrole_prior[@]}"; do
    if __awsrole_intact "$__awsrole_name" || [[ $__awsrole_pending && -z ${!__awsrole_name+x} ]]; then
      __awsrole_restore "$__awsrole_name"
    fi
  done
  __awsrole_prior=() __awsrole_ours=() __awsrole_lifted=()
}

# No credentials: if the variables were merely unset, clients would fall back to [default] or to the instance's role.
__awsrole_block() {
  \builtin local __awsrole_name
  for __awsrole_name in "${__awsrole_prior_if_blocked[@]}"; do
    # (If a parent's `blocked` was never taken over, what the parent exported stays.)
    if [[ ${AWSROLE_STATE-} != blocked && ${!__awsrole_name+x} && ${!__awsrole_name@a} == *x* ]]; then
      __awsrole_set "AWSROLE_PRIOR_$__awsrole_name" "${!__awsrole_name}"
    fi
  done
  for __awsrole_name in "${__awsrole_hidden_if_blocked[@]}"; do __awsrole_hide "$__awsrole_name"; done
  if [[ $__awsrole_use ]]; then __awsrole_set AWSROLE_CHOSEN "$__awsrole_use_in=$__awsrole_use"; fi
  for __awsrole_name in "${__awsrole_set_if_blocked[@]}"; do
    __awsrole_set "${__awsrole_name%%=*}" "${__awsrole_name#*=}"
  done
  \builtin printf -v __awsrole_since '%(%s)T' -1
  __awsrole_state=blocked __awsrole_pending='' __awsrole_deadline=$((__awsrole_since + 30))
}

# --- ask -------------------------------------------------------------------------------------------------------------
# Sets __awsrole_answer to what the binary prints. (`exec`: bash would fork twice.)
__awsrole_ask() { # WORD …
  \builtin local __awsrole_program=$__awsrole_bin
  if [[ -f $__awsrole_bin-hook && -x $__awsrole_bin-hook ]]; then __awsrole_program+=-hook; fi
  __awsrole_answer=$(\builtin exec "$__awsrole_program" "$@" </dev/null)
}

# Makes the decision anew. The binary sees the outer environment, so that awsrole can't become its own source. What the
# decision rests on and `pending` are noted before: after Ctrl-C, which ends this anywhere, the next prompt finds that.
__awsrole_sync() {
  \builtin local IFS=' ' __awsrole_words __awsrole_answer __awsrole_problem='no complete answer'
  __awsrole_words=(--event "$__awsrole_event" --protocol @PROTOCOL@ --views)
  case $__awsrole_event:$BASH_SUBSHELL:${BASH_EXECUTION_STRING+1}${__awsrole_prompted:+1}:\
${MC_SID-}${RANGER_LEVEL-}${NNNLVL-} in
    cd:0:1:) __awsrole_words+=(--ask) ;; # in no rc file, and not below a file manager, which shows no question
  esac
  \builtin test "${__awsrole_files[0]-}" = "$__awsrole_use_in" || __awsrole_use='' __awsrole_use_in=''
  if [[ $__awsrole_use ]]; then __awsrole_words+=(--role "$__awsrole_use"); fi
  \builtin test "${__awsrole_files[0]-}" = "$__awsrole_file" || __awsrole_own=()

  __awsrole_note_generation
  __awsrole_state=new # until everything is undone
  __awsrole_undo
  __awsrole_depth=1000 __awsrole_at=''
  __awsrole_examine
  __awsrole_file=${__awsrole_files[0]-} __awsrole_direnv=${DIRENV_WATCHES-} __awsrole_in_force=$__awsrole_views
  __awsrole_state=outer __awsrole_deadline=0 __awsrole_failed=() __awsrole_digest='' __awsrole_told=()
  if [[ -z $__awsrole_file$__awsrole_keys_changed && -z ${AWSROLE_STATE+x} ]]; then \builtin return 0; fi

  __awsrole_pending=${__awsrole_keys_changed:-answer}
  if [[ -f $__awsrole_bin && -x $__awsrole_bin ]]; then
    __awsrole_ask hook export bash "${__awsrole_words[@]}" "${__awsrole_changes[@]}" -- "${__awsrole_files[@]}"
    __awsrole_apply
  else __awsrole_problem="$__awsrole_bin is gone"; fi
  if ((${#__awsrole_failed[@]})); then __awsrole_problem="readonly variables: ${!__awsrole_failed[*]}"; fi
  if [[ $__awsrole_pending ]]; then __awsrole_fail "$__awsrole_problem"; fi
}

# Takes back an answer that is missing or ends early. Our part of changed keys must not become a prior value.
__awsrole_fail() { # PROBLEM
  if [[ $__awsrole_pending == keys ]]; then \builtin unset -v "${__awsrole_keys[@]}" 2>&-; fi
  __awsrole_undo
  __awsrole_block
  if [[ -z $__awsrole_digest && $__awsrole_in_force == */unread=* ]]; then # whether they may be opened wasn't said
    __awsrole_ask hook digest -- "${__awsrole_files[@]}" 2>/dev/null
    __awsrole_digest=$__awsrole_answer
  fi
  [[ $__awsrole_event == retry ]] || __awsrole_say "$1: no credentials here (hint: \`awsrole refresh\` asks again)"
}

# Applies the answer. Its statements are taken apart, not evaluated: evaluated, each would be the text of a command.
__awsrole_apply() {
  \builtin local - __awsrole_line __awsrole_value __awsrole_quoted __awsrole_words
  \builtin set -f
  while [[ $__awsrole_answer ]]; do
    __awsrole_line=${__awsrole_answer%%[\'$'\n']*} __awsrole_value='' __awsrole_quoted=''
    __awsrole_answer=${__awsrole_answer:${#__awsrole_line}}
    while [[ $__awsrole_answer == \'* ]]; do # a value; one with a quote in it is 'before'\''after'
      __awsrole_answer=${__awsrole_answer:1} __awsrole_value+=${__awsrole_answer%%\'*}
      __awsrole_answer=${__awsrole_answer#*\'} __awsrole_quoted=1
      if [[ $__awsrole_answer == \\\'* ]]; then __awsrole_value+=\' __awsrole_answer=${__awsrole_answer:2}; fi
    done
    __awsrole_answer=${__awsrole_answer#$'\n'}
    __awsrole_words=($__awsrole_line)
    case ${__awsrole_words[0]-}:${#__awsrole_words[@]}:$__awsrole_quoted in
      __awsrole_set:2:1 | __awsrole_chose:1:1 | __awsrole_file:3:* | __awsrole_adopt:3:*) "${__awsrole_words[@]}" ;;
      __awsrole_hide:2: | __awsrole_unset:2: | __awsrole_digest:2: | __awsrole_done:4:) "${__awsrole_words[@]}" ;;
      *) \builtin return 0 ;;
    esac
  done
}

# The other statements of an answer; what is in quotes is in __awsrole_value. `file`: whether this shell may open it,
# and what the binary read. `unset`: what is left of changed keys. `adopt`, `chose`: what a nested shell takes over.
__awsrole_file() { __awsrole_told[$1]=$2${__awsrole_quoted:+=$__awsrole_value}; } # NUMBER own|shared ['TEXT']
__awsrole_digest() { __awsrole_digest=$1; }
__awsrole_unset() { \builtin unset -v "$1"; }
__awsrole_chose() { __awsrole_use=$__awsrole_value __awsrole_use_in=$__awsrole_file; }
__awsrole_adopt() { # NAME unset | NAME exported 'VALUE'
  if [[ ${!1@a} == *r* ]]; then __awsrole_failed[$1]=1
  elif [[ $2 == unset ]]; then \builtin unset -v "$1"
  else \builtin eval "$1=\$__awsrole_value" && \builtin export "${1?}"; fi
}

__awsrole_done() { # STATE DEADLINE DEPTH
  \builtin local __awsrole_number=0
  __awsrole_depth=$3 __awsrole_at='' __awsrole_views='' __awsrole_own=()
  for __awsrole_place in "${__awsrole_files[@]:0:$3}"; do
    if [[ ${__awsrole_told[++__awsrole_number]-} == own* ]]; then __awsrole_own["$__awsrole_place"]=1; fi
    if [[ ${__awsrole_told[__awsrole_number]-} == own=* ]]; then
      __awsrole_views+=/1=$__awsrole_place${__awsrole_told[__awsrole_number]#own}
    else __awsrole_view "$__awsrole_place"; fi
  done
  __awsrole_in_force=$__awsrole_views
  if ((${#__awsrole_failed[@]})); then \builtin return 0; fi
  __awsrole_state=$1 __awsrole_pending=''
  \builtin printf -v __awsrole_since '%(%s)T' -1
  if [[ $1 == blocked ]]; then __awsrole_block; fi
  if (($2)) || [[ $1 != blocked ]]; then __awsrole_deadline=$2; fi
}

# --- hooks -----------------------------------------------------------------------------------------------------------
__awsrole_hook() { # prompt | changed | cd | typed
  __awsrole_asked=''
  if [[ $__awsrole_off ]]; then \builtin return 0; fi
  if ((${#__awsrole_lifted[@]})); then __awsrole_lay; fi
  case $1 in cd | typed) __awsrole_at='' __awsrole_prompted=${__awsrole_prompted:+$PWD} ;; esac
  if [[ $__awsrole_pending ]]; then __awsrole_event=prompt; __awsrole_fail interrupted
  elif [[ $1 != changed ]] && __awsrole_unchanged; then \builtin return 0
  else
    __awsrole_find_changes
    if [[ $1 == typed ]]; then __awsrole_event='cd'
    elif [[ $__awsrole_state == new ]] || ! \builtin test "${__awsrole_files[0]-}" = "$__awsrole_file"; then
      if [[ $1 == cd ]]; then __awsrole_event='cd'; fi # moving inside a project doesn't enter it
    elif [[ $__awsrole_changed ]] && \builtin test "${DIRENV_WATCHES-}" = "$__awsrole_direnv"; then
      __awsrole_event=changed
      __awsrole_say "$__awsrole_changed was changed manually: awsrole is inactive here until \`awsrole refresh\`"
    fi
    __awsrole_sync
  fi
  case $__awsrole_state:$__awsrole_file in hands-off:* | outer:) __awsrole_generation=/ ;; esac # nothing is awaited
  __awsrole_views=$__awsrole_in_force
  __awsrole_fingerprint
  __awsrole_seen=$__awsrole_print
  __awsrole_beside
}
__awsrole_beside() { :; } # see direnv.bash

# Runs a function with options that trace, export or abort nothing.
__awsrole_quietly() {
  \builtin local -
  \builtin set +aekuxvET
  "$@"
}

# bash keeps the status for each element of PROMPT_COMMAND; in a string it is handed on, except to `set -e`.
__awsrole_prompt() {
  __awsrole_status=$?
  case $- in *e*) __awsrole_status=0 ;; esac
  case $- in *[aekuxvET]*) \builtin local -; \builtin set +aekuxvET; \builtin export -n __awsrole_status ;; esac
  if [[ -z $__awsrole_prompted ]]; then __awsrole_follow # whose lines came later in the rc file
  elif ! \builtin test "$PWD" = "$__awsrole_prompted"; then __awsrole_asked=${__awsrole_asked:-cd}; fi # by a function
  __awsrole_prompted="$PWD"
  if [[ $__awsrole_pending$__awsrole_asked ]] || ((${#__awsrole_lifted[@]})); then
    __awsrole_hook "${__awsrole_asked:-prompt}"
  else __awsrole_unchanged || __awsrole_hook changed; fi
  if [[ $__awsrole_status == 0 || ${#PROMPT_COMMAND[@]} != 1 || $PROMPT_COMMAND == __awsrole_prompt ]]; then
    \builtin return 0 # a failure would run the ERR trap
  fi
  \builtin return "$__awsrole_status"
}

# After `cd`, so that `cd x && terraform plan` has the role. Completions change directory only to look.
__awsrole_moved() {
  if [[ ${COMP_POINT+x} ]]; then \builtin return 0; fi
  if [[ -z $__awsrole_prompted${BASH_EXECUTION_STRING+1} ]]; then __awsrole_asked=prompt # in an rc file: silent
  else __awsrole_quietly __awsrole_move ${FUNCNAME[2]+in-function}; fi
}

# A value that is changed while a function of the user's runs may be its local variable: then the prompt decides.
__awsrole_move() { # [in-function]
  __awsrole_find_changes
  if [[ ${1-} && $__awsrole_changed ]]; then __awsrole_asked="cd"; else __awsrole_hook cd; fi
}

# A script that sources this gets nothing: no hook, no command, no change.
if [[ $- == *i* ]]; then
  # (No alias replaces the name here. A copy of this in another shell finds no other function.)
  function awsrole {
    if [[ ${__awsrole_state+x} ]]; then __awsrole_quietly __awsrole_command "$@" || \builtin return
    else \builtin command awsrole "$@"; fi
  }
  __awsrole_quietly __awsrole_register
fi
if [[ $__awsrole_allexport ]]; then \builtin set -a; fi
