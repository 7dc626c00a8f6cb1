# awsrole for zsh 5.8 or later. `cd` into a project assumes its AWS role, `cd` out restores the environment.
# `awsrole hook zsh` prints this as an argument of `emulate -R zsh -o no_aliases -o local_traps -c`: each function below
# has known options whatever the user's are. An unchanged prompt and leaving run builtins only, written `\builtin NAME`:
# a function called `export` would print secrets. Secrets are in exported variables alone and never part of a command's
# text or arguments, which traps see.

# sysread takes a file as it is, with its NULs and its last newlines; EPOCHSECONDS is the clock.
\builtin zmodload -s zsh/system zsh/datetime || \builtin :

# --- names -----------------------------------------------------------------------------------------------------------
# Filled in by `awsrole hook zsh`. Clients use all keys together, and all profiles: a change to one is a change to all.
# The last three are what a blocked shell hides and sets, and the names of which it exports the prior value.
__awsrole_bin=@BIN@ __awsrole_generations=@GENERATIONS@
__awsrole_keys=(@KEYS@) __awsrole_profiles=(@PROFILES@)
__awsrole_hidden_if_blocked=(@HIDDEN_IF_BLOCKED@)
__awsrole_set_if_blocked=(@SET_IF_BLOCKED@)
__awsrole_prior_if_blocked=(@PRIOR_IF_BLOCKED@)

# Sourced again, the shell keeps what it needs to leave.
if (( ! ${+__awsrole_state} )); then
  __awsrole_state=new # new | outer | role | blocked | hands-off
  __awsrole_pending=  # not empty while an answer is awaited; later: it never came
  __awsrole_prompted= # 1 after the first prompt
  __awsrole_asked=    # for what the decision was left to the next prompt
  __awsrole_one_call= # 1 if the line sets a variable for `awsrole` alone
  __awsrole_off= __awsrole_use= __awsrole_use_in= # `awsrole off`; `awsrole use`, and the file it was typed for,
  __awsrole_previous= # and what `awsrole use -` goes back to: a role's name, `-` for the default role, or `-off`
  __awsrole_depth=1 __awsrole_at= # how many files count, and the directory from which they were searched
  __awsrole_file= __awsrole_direnv= __awsrole_in_force= # last decision: nearest file, DIRENV_WATCHES, views
  __awsrole_seen= __awsrole_digest= __awsrole_generation= # what stays the same while the decision stands
  __awsrole_deadline=0 __awsrole_since=0 # when it is made anew (0: never), and when that was set
  __awsrole_views= __awsrole_print= __awsrole_event= __awsrole_answer= __awsrole_changed= __awsrole_keys_changed=
  __awsrole_files=() __awsrole_absent=() __awsrole_changes=()
  \builtin typeset -gA __awsrole_prior __awsrole_ours __awsrole_own __awsrole_lifted __awsrole_failed __awsrole_told
fi

__awsrole_say() { \builtin print -r -u2 -- "awsrole: $1" }

# --- find ------------------------------------------------------------------------------------------------------------
# Finds the files that count, nearest first, and the places on the way that have none. A file of any kind counts.
__awsrole_look() {
  \builtin local dir=${PWD%/} place
  __awsrole_at=$PWD __awsrole_files=() __awsrole_absent=()
  while place=$dir/.awsrole.toml; do
    if [[ -e $place || -L $place ]]; then __awsrole_files+=("$place"); else __awsrole_absent+=("$place"); fi
    if [[ $dir != */* ]] || (( $#__awsrole_files >= __awsrole_depth )); then break; fi
    dir=${dir%/*}
  done
}

# Appends what is at each file to __awsrole_views: contents, because two edits may have the same time. Another user may
# replace a file by a FIFO: it is opened only if the binary called it `own`. (Room for 16 KiB costs more than the
# reading. An empty file is a failure to sysread, and none for an ERR trap.)
__awsrole_view() { # FILE …
  \builtin local place text count
  for place; do
    if [[ ! -f $place || ! -r $place ]]; then __awsrole_views+=/no-text=$place
    elif (( ${+__awsrole_own[$place]} )); then
      text= count=0
      \builtin sysread -s 4096 -c count text <$place || \builtin :
      if (( count == 4096 )); then \builtin sysread -s 16385 text <$place; fi
      __awsrole_views+=/$place=$text
    else __awsrole_views+=/unread=$place; fi
  done
}

# Notes the file that `awsrole allow`, `deny`, `refresh`, `logout` and others rename.
__awsrole_note_generation() {
  \builtin local -a found
  found=($__awsrole_generations/*(N))
  __awsrole_generation=$found[1]
}

# --- unchanged -------------------------------------------------------------------------------------------------------
# Puts everything on which a decision rests into __awsrole_print; of secrets only whether they are set.
__awsrole_fingerprint() {
  __awsrole_print=$__awsrole_state/${DIRENV_WATCHES-}/$__awsrole_views
  case $__awsrole_state in
    hands-off) __awsrole_print=$__awsrole_files[1] ;;
    role|blocked)
      __awsrole_print+=/${AWS_ACCESS_KEY_ID-}/${AWS_SECRET_ACCESS_KEY+s}${AWS_SESSION_TOKEN+s}/\
${AWS_CREDENTIAL_EXPIRATION-}/${AWS_PROFILE+:$AWS_PROFILE}/${AWS_DEFAULT_PROFILE+:$AWS_DEFAULT_PROFILE} ;;
  esac
}

# Takes the present fingerprint. Each place is tested for a file once; a link to nowhere is found on the next move.
__awsrole_examine() {
  \builtin local place
  if [[ $PWD != "$__awsrole_at" ]]; then __awsrole_look; fi
  for place in $__awsrole_absent; do
    if [[ -e $place ]]; then __awsrole_look; break; fi
  done
  __awsrole_views=
  __awsrole_view $__awsrole_files
  __awsrole_fingerprint
}

# Does the last decision stand? If not, __awsrole_event says why it is made anew.
__awsrole_unchanged() {
  __awsrole_event=prompt
  __awsrole_examine
  if [[ $__awsrole_print != "$__awsrole_seen" ]]; then return 1; fi
  if [[ -n $__awsrole_generation ]]; then [[ -e $__awsrole_generation ]]
  else __awsrole_note_generation; [[ -z $__awsrole_generation ]]; fi || return 1
  if __awsrole_is_due; then
    if [[ $__awsrole_state == blocked ]]; then __awsrole_event=retry; else __awsrole_event=due; fi
    return 1
  fi
  if [[ -z $__awsrole_digest ]]; then return 0; fi
  __awsrole_ask hook digest -- $__awsrole_files 2>/dev/null
  [[ $__awsrole_answer == "$__awsrole_digest" ]]
}

__awsrole_is_due() {
  (( __awsrole_deadline && (EPOCHSECONDS >= __awsrole_deadline || EPOCHSECONDS < __awsrole_since) ))
}

# --- save and restore ------------------------------------------------------------------------------------------------
# A prior value is `-` if the name was unset, `:VALUE` if it was a shell variable, `+VALUE` if it was exported. Readonly
# is asked beforehand: zsh would give up everything up to the prompt.
__awsrole_save() {
  if [[ ${(Pt)1} == *readonly* ]]; then __awsrole_failed[$1]=1; return 1; fi
  if (( ${+__awsrole_prior[$1]} )); then return 0; fi
  if (( ! ${(P)+1} )); then __awsrole_prior[$1]=-
  elif [[ ${(Pt)1} == *export* ]]; then __awsrole_prior[$1]="+${(P)1}"
  else __awsrole_prior[$1]=":${(P)1}"; fi
}

# The value is in __awsrole_value, or the second argument if it is no secret. What awsrole left is noted first, so that
# Ctrl-C leaves a note without a value, never a value without a note: '' if hidden, `:VALUE` if set, `*` for a secret.
__awsrole_set() { # NAME [VALUE]
  if (( $# > 1 )); then \builtin local __awsrole_value=$2; fi
  __awsrole_save "$1" || return 0
  case $1 in
    AWS_SECRET_ACCESS_KEY|AWS_SESSION_TOKEN) __awsrole_ours[$1]='*' ;;
    *) __awsrole_ours[$1]=":$__awsrole_value" ;;
  esac
  \builtin typeset -gx "$1"
  \builtin eval "$1=\$__awsrole_value"
}

__awsrole_hide() { # NAME
  __awsrole_save "$1" || return 0
  __awsrole_ours[$1]=
  \builtin unset -v "$1"
}

# Does the name hold what awsrole left there?
__awsrole_intact() {
  if [[ ${__awsrole_ours[$1]} == '*' ]]; then (( ${(P)+1} ))
  else [[ "${(P)1+:${(P)1}}" == "${__awsrole_ours[$1]}" ]]; fi
}

__awsrole_restore() {
  \builtin local __awsrole_value
  __awsrole_value=${__awsrole_prior[$1]}
  if [[ ${(Pt)1} == *readonly* ]]; then __awsrole_say "$1 is readonly: its prior value cannot be restored"
  elif [[ $__awsrole_value == - ]]; then \builtin unset -v "$1"
  else
    if [[ $__awsrole_value == +* ]]; then \builtin typeset -gx "$1"; else \builtin typeset -g +x "$1"; fi
    \builtin eval "$1=\${__awsrole_value#?}"
  fi
  \builtin unset "__awsrole_prior[$1]" "__awsrole_ours[$1]"
}

# Lists the credential variables that don't hold what awsrole left there, as options. The binary decides which stay.
__awsrole_find_changes() {
  \builtin local name
  __awsrole_changes=() __awsrole_changed= __awsrole_keys_changed=
  for name in $__awsrole_keys $__awsrole_profiles; do
    if (( ! ${+__awsrole_prior[$name]} )) || __awsrole_intact $name; then continue; fi
    __awsrole_changes+=(--changed $name) __awsrole_changed=$name
    if [[ $name != *PROFILE ]]; then __awsrole_keys_changed=keys; fi
  done
}

# Leaving: what awsrole left is replaced by the prior values, of the keys all or none. (Pending keys are half set.)
__awsrole_undo() {
  \builtin local name
  __awsrole_find_changes
  if [[ -n $__awsrole_keys_changed && -z $__awsrole_pending ]]; then
    for name in $__awsrole_keys; do \builtin unset "__awsrole_prior[$name]"; done
  fi
  for name in ${(k)__awsrole_prior}; do
    if __awsrole_intact $name; then __awsrole_restore $name; fi
  done
  __awsrole_prior=() __awsrole_ours=() __awsrole_lifted=()
}

# No credentials: if the variables were merely unset, clients would fall back to [default] or to the instance's role.
__awsrole_block() {
  \builtin local name
  for name in $__awsrole_prior_if_blocked; do
    # (If a parent's `blocked` was never taken over, what the parent exported stays.)
    if [[ ${AWSROLE_STATE-} != blocked && ${(Pt)name} == *export* ]]; then
      __awsrole_set AWSROLE_PRIOR_$name "${(P)name}"
    fi
  done
  for name in $__awsrole_hidden_if_blocked; do __awsrole_hide $name; done
  if [[ -n $__awsrole_use ]]; then __awsrole_set AWSROLE_CHOSEN "$__awsrole_use_in=$__awsrole_use"; fi
  for name in $__awsrole_set_if_blocked; do __awsrole_set "${name%%=*}" "${name#*=}"; done
  __awsrole_state=blocked __awsrole_pending= __awsrole_since=$EPOCHSECONDS
  __awsrole_deadline=$(( __awsrole_since + 30 ))
}

# --- ask -------------------------------------------------------------------------------------------------------------
# Sets __awsrole_answer to what the binary prints.
__awsrole_ask() { # WORD …
  \builtin local program=$__awsrole_bin
  if [[ -f $__awsrole_bin-hook && -x $__awsrole_bin-hook ]]; then program+=-hook; fi
  __awsrole_answer=$($program "$@" </dev/null)
}

# Makes the decision anew. The binary sees the outer environment, so that awsrole can't become its own source. What the
# decision rests on and `pending` are noted before: after Ctrl-C, which ends this anywhere, the next prompt finds that.
__awsrole_sync() {
  \builtin local __awsrole_answer problem='no complete answer'
  \builtin local -a words
  words=(--event $__awsrole_event --protocol @PROTOCOL@ --views)
  # A question belongs to a `cd` that was typed: not to one in a subshell, a widget or a completion.
  case $__awsrole_event:$ZSH_SUBSHELL:${ZSH_EXECUTION_STRING+1}$__awsrole_prompted:\
${WIDGET-}${MC_SID-}${RANGER_LEVEL-}${NNNLVL-} in
    cd:0:1:) words+=(--ask) ;; # in no rc file, and not below a file manager, which shows no question
  esac
  if [[ $__awsrole_files[1] != "$__awsrole_use_in" ]]; then __awsrole_use= __awsrole_use_in=; fi
  if [[ -n $__awsrole_use ]]; then words+=(--role $__awsrole_use); fi
  if [[ $__awsrole_files[1] != "$__awsrole_file" ]]; then __awsrole_own=(); fi

  __awsrole_note_generation
  __awsrole_state=new # until everything is undone
  __awsrole_undo
  __awsrole_depth=1000 __awsrole_at=
  __awsrole_examine
  __awsrole_file=$__awsrole_files[1] __awsrole_direnv=${DIRENV_WATCHES-} __awsrole_in_force=$__awsrole_views
  __awsrole_state=outer __awsrole_deadline=0 __awsrole_failed=() __awsrole_digest= __awsrole_told=()
  if [[ -z $__awsrole_file$__awsrole_keys_changed ]] && (( ! ${+AWSROLE_STATE} )); then return 0; fi

  __awsrole_pending=${__awsrole_keys_changed:-answer}
  if [[ -f $__awsrole_bin && -x $__awsrole_bin ]]; then
    __awsrole_ask hook export zsh $words $__awsrole_changes -- $__awsrole_files
    __awsrole_apply
  else problem="$__awsrole_bin is gone"; fi
  if (( $#__awsrole_failed )); then problem="readonly variables: ${(k)__awsrole_failed}"; fi
  if [[ -n $__awsrole_pending ]]; then __awsrole_fail "$problem"; fi
}

# Takes back an answer that is missing or ends early. Our part of changed keys must not become a prior value.
__awsrole_fail() { # PROBLEM
  if [[ $__awsrole_pending == keys ]]; then \builtin unset -v $__awsrole_keys; fi
  __awsrole_undo
  __awsrole_block
  if [[ -z $__awsrole_digest && $__awsrole_in_force == */unread=* ]]; then # whether they may be opened wasn't said
    __awsrole_ask hook digest -- $__awsrole_files 2>/dev/null
    __awsrole_digest=$__awsrole_answer
  fi
  if [[ $__awsrole_event != retry ]]; then
    __awsrole_say "$1: no credentials here (hint: \`awsrole refresh\` asks again)"
  fi
}

# Applies the answer. Its statements are taken apart, not evaluated: evaluated, each would be the text of a command. zsh
# tells the words; an end of line is a `;`, and one in quotes has them still.
__awsrole_apply() {
  \builtin local word __awsrole_value quoted
  \builtin local -a words
  for word in "${(@z)__awsrole_answer}" ';'; do
    case $word in
      "'"*) __awsrole_value=${(Q)word} quoted=1; continue ;;
      [^\;]*) words+=($word); continue ;;
    esac
    case $words[1]:$#words:$quoted in
      __awsrole_set:2:1|__awsrole_chose:1:1|__awsrole_file:3:*|__awsrole_adopt:3:*) $words ;;
      __awsrole_hide:2:|__awsrole_unset:2:|__awsrole_digest:2:|__awsrole_done:4:) $words ;;
      :0:) ;;
      *) return 0 ;;
    esac
    words=() quoted=
  done
}

# The other statements of an answer; what is in quotes is in __awsrole_value. `file`: whether this shell may open it,
# and what the binary read. `unset`: what is left of changed keys. `adopt`, `chose`: what a nested shell takes over.
__awsrole_file() { __awsrole_told[$1]=$2${quoted:+"=$__awsrole_value"} } # NUMBER own|shared ['TEXT']
__awsrole_digest() { __awsrole_digest=$1 }
__awsrole_unset() { \builtin unset -v "$1" }
__awsrole_chose() { __awsrole_use=$__awsrole_value __awsrole_use_in=$__awsrole_file }
__awsrole_adopt() { # NAME unset | NAME exported 'VALUE'
  if [[ ${(Pt)1} == *readonly* ]]; then __awsrole_failed[$1]=1
  elif [[ $2 == unset ]]; then \builtin unset -v "$1"
  else
    \builtin typeset -gx "$1"
    \builtin eval "$1=\$__awsrole_value"
  fi
}

__awsrole_done() { # STATE DEADLINE DEPTH
  \builtin local number=0 place told
  __awsrole_depth=$3 __awsrole_at= __awsrole_views= __awsrole_own=()
  for place in $__awsrole_files[1,$3]; do
    told=${__awsrole_told[$(( ++number ))]}
    if [[ $told == own* ]]; then __awsrole_own[$place]=1; fi
    if [[ $told == own=* ]]; then __awsrole_views+=/$place${told#own}; else __awsrole_view $place; fi
  done
  __awsrole_in_force=$__awsrole_views
  if (( $#__awsrole_failed )); then return 0; fi
  __awsrole_state=$1 __awsrole_pending= __awsrole_since=$EPOCHSECONDS
  if [[ $1 == blocked ]]; then __awsrole_block; fi
  if [[ $2 != 0 || $1 != blocked ]]; then __awsrole_deadline=$2; fi
}

# --- hooks -----------------------------------------------------------------------------------------------------------
__awsrole_hook() { # prompt | changed | cd | typed
  __awsrole_asked=
  if [[ -n $__awsrole_off ]]; then return 0; fi
  if (( $#__awsrole_lifted )); then __awsrole_lay; fi
  if [[ $1 == cd || $1 == typed ]]; then __awsrole_at=; fi
  if [[ -n $__awsrole_pending ]]; then __awsrole_event=prompt; __awsrole_fail interrupted
  elif [[ $1 != changed ]] && __awsrole_unchanged; then return 0
  else
    __awsrole_find_changes
    if [[ $1 == typed ]]; then __awsrole_event=cd
    elif [[ $__awsrole_state == new || $__awsrole_files[1] != "$__awsrole_file" ]]; then
      if [[ $1 == cd ]]; then __awsrole_event=cd; fi # moving inside a project doesn't enter it
    elif [[ -n $__awsrole_changed && ${DIRENV_WATCHES-} == "$__awsrole_direnv" ]]; then
      __awsrole_event=changed
      __awsrole_say "$__awsrole_changed was changed manually: awsrole is inactive here until \`awsrole refresh\`"
    fi
    __awsrole_sync
  fi
  case $__awsrole_state:$__awsrole_file in hands-off:*|outer:) __awsrole_generation=/ ;; esac # nothing is awaited
  __awsrole_views=$__awsrole_in_force
  __awsrole_fingerprint
  __awsrole_seen=$__awsrole_print
  __awsrole_beside
}
__awsrole_beside() { \builtin : } # see direnv.zsh

# Runs a function without the user's traps for each command and each failure, which are back when it returns, and
# without the traces that `functions -t` turns on.
__awsrole_quietly() {
  \builtin setopt local_options no_xtrace # which functions that are called inherit
  \builtin trap - DEBUG ZERR
  \builtin functions +tT -m '__awsrole_*'
  "$@"
}

__awsrole_precmd() {
  if [[ -z $__awsrole_prompted && -o zle && -t 2 ]]; then __awsrole_first_precmd; return 0; fi
  __awsrole_prompted=1
  if [[ -n $__awsrole_pending$__awsrole_asked ]] || (( $#__awsrole_lifted )); then
    __awsrole_quietly __awsrole_hook ${__awsrole_asked:-prompt}
  elif ! __awsrole_unchanged; then __awsrole_quietly __awsrole_hook changed; fi
}

# After `cd`, so that `cd x && terraform plan` has the role. Completions change directory only to look.
__awsrole_chpwd() {
  \builtin local name
  if (( ${+compstate} )) || [[ $ZSH_SUBSHELL != 0 && -n ${WIDGET-} ]]; then return 0; fi
  if [[ -z $__awsrole_prompted${ZSH_EXECUTION_STRING+1} ]]; then __awsrole_asked=prompt; return 0; fi # in an rc file
  for name in $__awsrole_keys $__awsrole_profiles AWS_REGION AWS_DEFAULT_REGION; do # a function's own variable
    if [[ ${(Pt)name} == *local* ]]; then __awsrole_asked=cd; fi
  done
  [[ -n $__awsrole_asked ]] || __awsrole_quietly __awsrole_hook cd
}

# While the prompt waited, the role may have expired; and Ctrl-C at a prompt's hooks leaves them half done. zsh doesn't
# tell a value for one call, as in `AWS_PROFILE=x awsrole allow`, from an exported one: the typed line does.
__awsrole_preexec() {
  \builtin local before=${3%%awsrole*}
  __awsrole_one_call=
  if [[ $3 == *awsrole* && ${before##*[;&|]} == *AWS*=* ]]; then __awsrole_one_call=1; fi
  if [[ -n $__awsrole_pending ]] || (( $#__awsrole_lifted )) || __awsrole_is_due; then
    __awsrole_quietly __awsrole_hook prompt
  fi
}

# Ours come first, so that a theme's own hook sees the new values.
__awsrole_register() {
  precmd_functions=(__awsrole_precmd ${precmd_functions:#__awsrole_precmd})
  chpwd_functions=(__awsrole_chpwd ${chpwd_functions:#__awsrole_chpwd})
  preexec_functions=(__awsrole_preexec ${preexec_functions:#__awsrole_preexec})
  __awsrole_beside
}

# A script that sources this gets nothing: no hook, no command, no change.
if [[ -o interactive ]] && ! \builtin zmodload -e zsh/system zsh/datetime; then
  __awsrole_say 'this zsh lacks the modules zsh/system and zsh/datetime: awsrole is inactive in this shell'
elif [[ -o interactive ]]; then
  awsrole() { # a function that was copied into another shell finds no other
    if (( ${+__awsrole_state} )); then __awsrole_quietly __awsrole_command "$@"; else command awsrole "$@"; fi
  }
  __awsrole_register
fi
