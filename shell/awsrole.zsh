# awsrole for zsh 5.8 or later. `cd` into a project assumes its AWS role, `cd` out restores the environment. `awsrole
# hook zsh` prints this file as an argument of `emulate -R zsh -o no_aliases -o local_traps -c`, so the functions have
# known options whatever the user's are. Unchanged prompts and leaving run builtins only, written `\builtin NAME`,
# because a function named `export` would print secrets. Secrets are only in exported variables, and never part of a
# command's text or arguments, which traps can read.

# sysread reads a file unchanged, with NULs and trailing newlines. EPOCHSECONDS is the clock.
\builtin zmodload -s zsh/system zsh/datetime || \builtin :

# --- names -----------------------------------------------------------------------------------------------------------
# Filled in by `awsrole hook zsh`. Clients use all keys together, and both profile variables, so a change to one is a
# change to all. In the last three lines are the names that a blocked shell hides, the assignments that it makes, and
# the names whose prior values it exports.
__awsrole_bin=@BIN@ __awsrole_generations=@GENERATIONS@
__awsrole_keys=(@KEYS@) __awsrole_profiles=(@PROFILES@)
__awsrole_hidden_if_blocked=(@HIDDEN_IF_BLOCKED@)
__awsrole_set_if_blocked=(@SET_IF_BLOCKED@)
__awsrole_prior_if_blocked=(@PRIOR_IF_BLOCKED@)

# If the snippet is sourced again, the shell keeps the variables that it needs for leaving.
if (( ! ${+__awsrole_state} )); then
  __awsrole_state=new # new | outer | role | blocked | inactive
  __awsrole_pending=  # not empty while the shell waits for an answer. At a prompt: the answer never came
  __awsrole_prompted= # 1 after the first prompt
  __awsrole_asked=    # the event for which the decision was postponed to the next prompt
  __awsrole_one_call= # 1 if the typed line sets a variable for `awsrole` alone
  __awsrole_off= __awsrole_use= __awsrole_use_in= # `awsrole off`, and `awsrole use` with its file
  __awsrole_previous= # the target of `awsrole use -`: a role's name, `-` for the default role, or `-off`
  __awsrole_profile= __awsrole_profile_before= # words of `awsrole use --profile`: the profile, and the one before it
  __awsrole_depth=1 __awsrole_at= # number of files that count, and the directory of the last search
  __awsrole_file= __awsrole_direnv= __awsrole_in_force= # last decision: nearest file, DIRENV_WATCHES, views
  __awsrole_seen= __awsrole_digest= __awsrole_generation= __awsrole_gone= # what a valid decision rests on
  __awsrole_deadline=0 __awsrole_since=0 # time of the next decision (0: none), and the time when that was set
  __awsrole_views= __awsrole_print= __awsrole_event= __awsrole_answer= __awsrole_changed= __awsrole_keys_changed=
  __awsrole_files=() __awsrole_changes=()
  \builtin typeset -gA __awsrole_prior __awsrole_ours __awsrole_own __awsrole_lifted __awsrole_failed __awsrole_told
fi

__awsrole_say() { \builtin print -r -u2 -- "awsrole: $1" }

# --- find ------------------------------------------------------------------------------------------------------------
# Finds the files that count, nearest first, and the paths on the way without a file, where a new one may appear. With
# more than eight of these, every prompt searches again. A file of any type counts.
__awsrole_look() {
  \builtin local dir=${PWD%/} place
  \builtin set --
  __awsrole_at=$PWD __awsrole_files=()
  while place=$dir/.awsrole.toml; do
    if [[ -e $place || -L $place ]]; then __awsrole_files+=("$place")
    else \builtin set -- "$@" "$place"; fi
    if [[ $dir != */* ]] || (( $#__awsrole_files >= __awsrole_depth )); then break; fi
    dir=${dir%/*}
  done
  __awsrole_a1=${1-} __awsrole_a2=${2-} __awsrole_a3=${3-} __awsrole_a4=${4-}
  __awsrole_a5=${5-} __awsrole_a6=${6-} __awsrole_a7=${7-} __awsrole_a8=${8-}
  if (( $# > 8 )); then __awsrole_at=; fi
}

# Notes the generation: the file that `awsrole allow`, `deny`, `refresh`, `logout` and others rename.
__awsrole_note_generation() {
  \builtin local -a found
  found=($__awsrole_generations/*(N))
  __awsrole_generation=$found[1]
}

# --- unchanged -------------------------------------------------------------------------------------------------------
# (zsh allocates memory at each call of a function, so an unchanged prompt calls few.)
# Appends the content of each file to __awsrole_views, and sets __awsrole_print to everything that the decision depends
# on. Of secrets it contains only whether they are set. Modification times would not distinguish two edits within a
# clock tick. Another user may replace a file by a FIFO, so a file is opened only if the binary called it `own`.
# (Allocating a buffer of 16 KiB takes longer than reading, so only long files get one. sysread fails for an empty file,
# which must not run an ERR trap.)
__awsrole_fingerprint() { # [FILE …]
  \builtin local place text count
  for place; do
    if [[ ! -f $place || ! -r $place ]]; then
      if [[ -e $place || -L $place ]]; then __awsrole_views+=/no-text=$place; else __awsrole_views+=/gone=$place; fi
    elif (( ! ${+__awsrole_own[$place]} )); then __awsrole_views+=/unread=$place
    else
      text= count=0
      \builtin sysread -s 4096 -c count text <$place || \builtin :
      if (( count == 4096 )); then \builtin sysread -s 16385 text <$place; fi
      __awsrole_views+=/$place=$text
    fi
  done
  case $__awsrole_state in
    role|blocked)
      __awsrole_print=$__awsrole_state/${DIRENV_WATCHES-}/$__awsrole_views/${AWS_ACCESS_KEY_ID-}/\
${AWS_SECRET_ACCESS_KEY+s}${AWS_SESSION_TOKEN+s}/${AWS_CREDENTIAL_EXPIRATION-}/${AWS_PROFILE+:$AWS_PROFILE}/\
${AWS_DEFAULT_PROFILE+:$AWS_DEFAULT_PROFILE} ;;
    inactive) __awsrole_print=$__awsrole_files[1]; __awsrole_has_values || __awsrole_print+=$__awsrole_gone ;;
    *) __awsrole_print=$__awsrole_state/${DIRENV_WATCHES-}/$__awsrole_views ;;
  esac
}

# Returns whether the last decision is still valid. If not, __awsrole_event is the reason for a new one. Each path
# without a file is tested once, so a broken symlink is found at the next `cd`.
__awsrole_unchanged() {
  if [[ $PWD != "$__awsrole_at" || -e $__awsrole_a1 || -e $__awsrole_a2 || -e $__awsrole_a3 || -e $__awsrole_a4 ||
    -e $__awsrole_a5 || -e $__awsrole_a6 || -e $__awsrole_a7 || -e $__awsrole_a8 ]]; then __awsrole_look; fi
  __awsrole_event=prompt __awsrole_views=
  __awsrole_fingerprint $__awsrole_files
  [[ $__awsrole_print == "$__awsrole_seen" ]] || return 1
  # (The condition of __awsrole_is_due, without the call.)
  [[ -z $__awsrole_digest && -e $__awsrole_generation ]] &&
    (( ! __awsrole_deadline || (EPOCHSECONDS >= __awsrole_since && EPOCHSECONDS < __awsrole_deadline) )) && return 0
  __awsrole_still_valid
}

# The rest of the comparison: a new generation, a deadline, and files that are compared by digest.
__awsrole_still_valid() {
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
# A prior value is `-` if the name was unset, `:VALUE` if it was a shell variable, `+VALUE` if it was exported. The
# readonly attribute is tested first, because an assignment to a readonly variable would abort everything up to the
# prompt.
__awsrole_save() {
  if [[ ${(Pt)1} == *readonly* ]]; then __awsrole_failed[$1]=1; return 1; fi
  if (( ${+__awsrole_prior[$1]} )); then return 0; fi
  if (( ! ${(P)+1} )); then __awsrole_prior[$1]=-
  elif [[ ${(Pt)1} == *export* ]]; then __awsrole_prior[$1]="+${(P)1}"
  else __awsrole_prior[$1]=":${(P)1}"; fi
}

# The value is in __awsrole_value, or the second argument if it isn't secret. __awsrole_ours is set first, so that after
# Ctrl-C there may be a record without a value, but no value without a record. A record is '' if the name is hidden,
# `:VALUE` if it is set, and `*` for a secret.
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

# Returns whether the name still has the value that awsrole set.
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

# Lists the credential variables whose values aren't awsrole's, as options. The binary decides which are kept.
__awsrole_find_changes() {
  \builtin local name
  __awsrole_changes=() __awsrole_changed= __awsrole_keys_changed=
  for name in $__awsrole_keys $__awsrole_profiles; do
    if (( ! ${+__awsrole_ours[$name]} )) || __awsrole_intact $name; then continue; fi
    __awsrole_changes+=(--changed $name) __awsrole_changed=$name
    if [[ $name != *PROFILE ]]; then __awsrole_keys_changed=keys; fi
  done
}

# Leaves: replaces awsrole's values by the prior ones. Keys are restored all together or not at all. (If an answer is
# pending, only some of them may be set.) After a manual change the prior value stays due, for when the user's is unset.
__awsrole_undo() { # [EVENT]
  \builtin local name
  __awsrole_find_changes
  if [[ -n $__awsrole_keys_changed && -z $__awsrole_pending ]]; then
    for name in $__awsrole_keys; do \builtin unset "__awsrole_prior[$name]"; done
  fi
  for name in ${(k)__awsrole_prior}; do
    if __awsrole_intact $name; then __awsrole_restore $name
    elif [[ ${1-} != changed ]]; then \builtin unset "__awsrole_prior[$name]"; fi
  done
  __awsrole_ours=() __awsrole_lifted=()
}

# Blocks the shell. If the variables were only unset, clients would fall back to [default] or to the instance's role.
__awsrole_block() {
  \builtin local name
  for name in $__awsrole_prior_if_blocked; do
    # (If a parent's `blocked` state was never adopted, the values that the parent exported are kept.)
    if [[ ${AWSROLE_STATE-} != blocked && ${(Pt)name} == *export* ]]; then
      __awsrole_set AWSROLE_PRIOR_$name "${(P)name}"
    fi
  done
  for name in $__awsrole_hidden_if_blocked; do __awsrole_hide $name; done
  if [[ -n $__awsrole_use ]]; then __awsrole_set AWSROLE_CHOSEN "$__awsrole_use_in=$__awsrole_use"; fi
  if [[ -n $__awsrole_profile ]]; then __awsrole_set AWSROLE_CHOSEN_PROFILE "$__awsrole_profile"; fi
  for name in $__awsrole_set_if_blocked; do __awsrole_set "${name%%=*}" "${name#*=}"; done
  __awsrole_state=blocked __awsrole_pending= __awsrole_since=$EPOCHSECONDS
  __awsrole_deadline=$(( __awsrole_since + 30 ))
}

# --- ask -------------------------------------------------------------------------------------------------------------
# Sets __awsrole_answer to the output of the binary.
__awsrole_ask() { # WORD …
  \builtin local program=$__awsrole_bin
  if [[ -f $__awsrole_bin-hook && -x $__awsrole_bin-hook ]]; then program+=-hook; fi
  __awsrole_answer=$($program "$@" </dev/null)
}

# Requests a new decision. The binary gets the outer environment, so that awsrole cannot become its own source. Inputs
# and `pending` are recorded first, so that the next prompt notices if Ctrl-C interrupted this.
__awsrole_sync() {
  \builtin local __awsrole_answer problem='no complete answer'
  \builtin local -a words
  words=(--event $__awsrole_event --protocol @PROTOCOL@ --views)
  # Prompting is allowed only for a typed `cd`: not for one in a subshell, a widget or a completion.
  case $__awsrole_event:$ZSH_SUBSHELL:${ZSH_EXECUTION_STRING+1}$__awsrole_prompted:\
${WIDGET-}${MC_SID-}${RANGER_LEVEL-}${NNNLVL-} in
    cd:0:1:) words+=(--ask) ;; # not in rc files, and not below a file manager, which would hide a prompt
  esac
  if [[ $__awsrole_files[1] != "$__awsrole_use_in" ]]; then __awsrole_use= __awsrole_use_in=; fi
  if [[ -n $__awsrole_use ]]; then words+=(--role $__awsrole_use); fi
  if [[ -n $__awsrole_profile ]]; then words+=(--profile $__awsrole_profile); fi
  if [[ $__awsrole_files[1] != "$__awsrole_file" ]]; then __awsrole_own=(); fi

  __awsrole_note_generation
  __awsrole_state=new # until all changes are undone
  __awsrole_undo $__awsrole_event
  __awsrole_depth=1000 __awsrole_views=
  __awsrole_look
  __awsrole_fingerprint $__awsrole_files
  __awsrole_file=$__awsrole_files[1] __awsrole_direnv=${DIRENV_WATCHES-} __awsrole_in_force=$__awsrole_views
  __awsrole_state=outer __awsrole_deadline=0 __awsrole_failed=() __awsrole_digest= __awsrole_told=()
  if [[ -z $__awsrole_file$__awsrole_profile$__awsrole_keys_changed${AWSROLE_STATE+x} ]]; then return 0; fi

  __awsrole_pending=${__awsrole_keys_changed:-answer}
  if [[ -f $__awsrole_bin && -x $__awsrole_bin ]]; then
    __awsrole_ask hook export zsh $words $__awsrole_changes -- $__awsrole_files
    __awsrole_apply
  else problem="$__awsrole_bin is gone"; fi
  if (( $#__awsrole_failed )); then problem="readonly variables: ${(k)__awsrole_failed}"; fi
  if [[ -n $__awsrole_pending ]]; then __awsrole_fail "$problem"; fi
}

# Undoes an answer that is missing or incomplete. Those of the changed keys that are awsrole's must not become prior
# values.
__awsrole_fail() { # PROBLEM
  if [[ $__awsrole_pending == keys ]]; then \builtin unset -v $__awsrole_keys; fi
  __awsrole_undo
  __awsrole_block
  if [[ -z $__awsrole_digest && $__awsrole_in_force == */unread=* ]]; then # it is unknown who can replace them
    __awsrole_ask hook digest -- $__awsrole_files 2>/dev/null
    __awsrole_digest=$__awsrole_answer
  fi
  if [[ $__awsrole_event != retry ]]; then
    __awsrole_say "$1: this shell is blocked (hint: \`awsrole refresh\` retries)"
  fi
}

# Applies the answer. Its statements are parsed instead of evaluated, because `eval` would make each the text of a
# command. The flag (z) splits it into words. It turns a newline into `;`, except in quotes.
__awsrole_apply() {
  \builtin local word __awsrole_value quoted
  \builtin local -a words
  for word in "${(@z)__awsrole_answer}" ';'; do
    case $word in
      "'"*) __awsrole_value=${(Q)word} quoted=1; continue ;;
      [^\;]*) words+=($word); continue ;;
    esac
    case $words[1]:$#words:$quoted in
      __awsrole_set:2:1|__awsrole_chose*:1:1|__awsrole_file:3:*|__awsrole_adopt:3:*) $words ;;
      __awsrole_hide:2:|__awsrole_unset:2:|__awsrole_digest:2:|__awsrole_done:4:) $words ;;
      :0:) ;;
      *) return 0 ;;
    esac
    words=() quoted=
  done
}

# The other statements of an answer. A quoted value is in __awsrole_value. `file`: whether this shell may open a file,
# and the content that the binary read. `unset`: the remaining awsrole values of changed keys. `adopt`, `chose`,
# `chose_profile`: values that a nested shell takes over.
__awsrole_file() { __awsrole_told[$1]=$2${quoted:+"=$__awsrole_value"} } # NUMBER own|shared ['TEXT']
__awsrole_digest() { __awsrole_digest=$1 }
__awsrole_unset() { \builtin unset -v "$1" }
__awsrole_chose() { __awsrole_use=$__awsrole_value __awsrole_use_in=$__awsrole_file }
__awsrole_chose_profile() { __awsrole_profile=$__awsrole_value }
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
    if [[ $told == own=* ]]; then __awsrole_views+=/$place${told#own}; else __awsrole_fingerprint $place; fi
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
      if [[ $1 == cd ]]; then __awsrole_event=cd; fi # `cd` inside a project isn't an entry
    elif [[ -n $__awsrole_changed && ${DIRENV_WATCHES-} == "$__awsrole_direnv" ]]; then
      __awsrole_event=changed
      __awsrole_say "$__awsrole_changed was changed manually: inactive until you unset it or \`awsrole refresh\`"
    elif [[ $__awsrole_state == inactive ]]; then __awsrole_say 'active again: what was set manually is gone'
    fi
    __awsrole_sync
  fi
  case $__awsrole_state:$__awsrole_file in inactive:*|outer:) __awsrole_generation=/ __awsrole_digest= ;; esac
  __awsrole_gone=; if __awsrole_has_values; then __awsrole_gone=/gone; fi
  __awsrole_views=$__awsrole_in_force
  __awsrole_fingerprint
  __awsrole_seen=$__awsrole_print
  __awsrole_run_integrations
}
__awsrole_run_integrations() { \builtin : } # see direnv.zsh

# Runs a function without the user's DEBUG and ZERR traps, which are restored when it returns, and without the traces of
# `functions -t`.
__awsrole_quietly() {
  \builtin setopt local_options no_xtrace # called functions inherit it
  \builtin trap - DEBUG ZERR
  \builtin functions +tT -m '__awsrole_*'
  "$@"
}

__awsrole_precmd() {
  if [[ -z $__awsrole_prompted && -o zle && -t 2 && -w ${${TMPPREFIX:-/tmp/zsh}:h} ]]; then
    __awsrole_first_precmd
    return 0
  fi
  __awsrole_prompted=1
  if [[ -n $__awsrole_pending$__awsrole_asked ]] || (( $#__awsrole_lifted )); then
    __awsrole_quietly __awsrole_hook ${__awsrole_asked:-prompt}
  elif ! __awsrole_unchanged; then __awsrole_quietly __awsrole_hook changed; fi
}

# A script that sources this gets nothing: no hook, no command, no change.
if [[ -o interactive ]] && ! \builtin zmodload -e zsh/system zsh/datetime; then
  __awsrole_say 'this zsh lacks the modules zsh/system and zsh/datetime: awsrole is inactive in this shell'
elif [[ -o interactive ]]; then
  awsrole() { # if another shell gets a copy of this function, the others are missing there
    if (( ${+__awsrole_state} )); then __awsrole_quietly __awsrole_interruptibly __awsrole_command "$@"
    else command awsrole "$@"; fi
  }
  __awsrole_register
fi
