# shellcheck shell=bash disable=SC2178,SC2206 # no word has a space
# awsrole for bash 4.4 or later. `cd` into a project assumes its AWS role, `cd` out restores the environment. Unchanged
# prompts and leaving run builtins only, written `\builtin NAME`, because an alias or a function named `export` would
# print secrets. Secrets are only in exported variables, and never part of a command's text or arguments, which traps
# can read. Local variables have the prefix, too, so that a readonly variable of the user cannot stop a function.

case $- in *a*) \builtin set +a; __awsrole_allexport=1 ;; *) __awsrole_allexport='' ;; esac # `set -a` exports functions

# --- names -----------------------------------------------------------------------------------------------------------
# Filled in by `awsrole hook bash`. Clients use all keys together, and both profile variables, so a change to one is a
# change to all. In the last three lines are the names that a blocked shell hides, the assignments that it makes, and
# the names whose prior values it exports.
__awsrole_bin=@BIN@ __awsrole_generations=@GENERATIONS@
__awsrole_keys=(@KEYS@) __awsrole_profiles=(@PROFILES@)
__awsrole_hidden_if_blocked=(@HIDDEN_IF_BLOCKED@)
__awsrole_set_if_blocked=(@SET_IF_BLOCKED@)
__awsrole_prior_if_blocked=(@PRIOR_IF_BLOCKED@)

# If the snippet is sourced again, the shell keeps the variables that it needs for leaving.
if [[ -z ${__awsrole_state+x} ]]; then
  __awsrole_state=new # new | outer | role | blocked | inactive
  __awsrole_pending='' # not empty while the shell waits for an answer. At a prompt: the answer never came
  __awsrole_asked=''   # the event for which `awsrole` postponed the decision to the next prompt
  __awsrole_off='' __awsrole_use='' __awsrole_use_in='' # `awsrole off`, and `awsrole use` with its file
  __awsrole_previous='' # the target of `awsrole use -`: a role's name, `-` for the default role, or `-off`
  __awsrole_profile='' __awsrole_profile_before='' # of `awsrole use --profile`: the profile, and the one before
  __awsrole_depth=1    # number of files that count
  __awsrole_file='' __awsrole_direnv='' __awsrole_in_force='' # last decision: nearest file, DIRENV_WATCHES, views
  __awsrole_digest='' __awsrole_generation='' __awsrole_gone='' # what a valid decision rests on
  __awsrole_deadline=0 __awsrole_since=0 # time of the next decision (0: none), and the time when that was set
fi
\builtin declare -gA __awsrole_prior __awsrole_ours __awsrole_own __awsrole_lifted __awsrole_failed
# Each has one key: the directory of the last search, of the last prompt, the fingerprint. (Texts compare slower.)
\builtin declare -gA __awsrole_at __awsrole_prompted __awsrole_seen
__awsrole_say() { \builtin printf 'awsrole: %s\n' "$1" >&2; }

# --- find ------------------------------------------------------------------------------------------------------------
# Finds the files that count, nearest first, and the paths on the way without a file, where a new one may appear. With
# more than eight of these, every prompt searches again. A file of any type counts.
__awsrole_look() {
  \builtin local __awsrole_dir="${PWD%/}"; \builtin set --
  __awsrole_files=() __awsrole_at=()
  while __awsrole_place=$__awsrole_dir/.awsrole.toml; do
    if [[ -e $__awsrole_place || -L $__awsrole_place ]]; then __awsrole_files+=("$__awsrole_place")
    else \builtin set -- "$@" "$__awsrole_place"; fi
    if [[ $__awsrole_dir != */* ]] || ((${#__awsrole_files[@]} >= __awsrole_depth)); then \builtin break; fi
    __awsrole_dir=${__awsrole_dir%/*}
  done
  __awsrole_a1=${1-} __awsrole_a2=${2-} __awsrole_a3=${3-} __awsrole_a4=${4-}
  __awsrole_a5=${5-} __awsrole_a6=${6-} __awsrole_a7=${7-} __awsrole_a8=${8-}
  if (($# <= 8)); then __awsrole_at["$PWD/"]=1; fi
}

# Notes the generation: the file that `awsrole allow`, `deny`, `refresh`, `logout` and others rename.
__awsrole_note_generation() {
  \builtin local - __awsrole_options="$BASHOPTS"
  \builtin set +f; \builtin shopt -u failglob
  __awsrole_generation=''
  for __awsrole_generation in "$__awsrole_generations"/*; do :; done
  if [[ ! -e $__awsrole_generation ]]; then __awsrole_generation=''; fi
  if [[ $__awsrole_options == *failglob* ]]; then \builtin shopt -s failglob; fi
}

# --- unchanged -------------------------------------------------------------------------------------------------------
# (Bash copies a function at each call, so an unchanged prompt calls few, and few have rare cases.)
# Appends the content of each file to __awsrole_views, and sets __awsrole_print to everything that the decision depends
# on. (Of secrets only whether they are set. Modification times are the same for two edits within a clock tick. The exit
# status distinguishes a NUL from the end of a file. Others may exchange a file that is not `own` for a FIFO.)
__awsrole_fingerprint() { # [FILE …]
  \builtin local IFS='' # as a prefix of `read`, it would make bash build the environment of its children again
  for __awsrole_place; do
    if [[ ${__awsrole_own["$__awsrole_place"]-} && -f $__awsrole_place && -r $__awsrole_place ]]; then
      \builtin read -r -d '' -n 16385 __awsrole_text <"$__awsrole_place"
      __awsrole_views+=/$?=$__awsrole_place=$__awsrole_text
    elif [[ -f $__awsrole_place && -r $__awsrole_place ]]; then __awsrole_views+=/unread=$__awsrole_place
    elif [[ -e $__awsrole_place || -L $__awsrole_place ]]; then __awsrole_views+=/no-text=$__awsrole_place
    else __awsrole_views+=/gone=$__awsrole_place; fi
  done
  case $__awsrole_state in
    role | blocked)
      __awsrole_print=$__awsrole_state/$DIRENV_WATCHES/$__awsrole_views/$AWS_ACCESS_KEY_ID/\
${AWS_SECRET_ACCESS_KEY+s}${AWS_SESSION_TOKEN+s}/$AWS_CREDENTIAL_EXPIRATION/${AWS_PROFILE+:$AWS_PROFILE}/\
${AWS_DEFAULT_PROFILE+:$AWS_DEFAULT_PROFILE} ;;
    inactive) __awsrole_print=/${__awsrole_files[0]-}; __awsrole_has_values || __awsrole_print+=$__awsrole_gone ;;
    *) __awsrole_print=$__awsrole_state/$DIRENV_WATCHES/$__awsrole_views ;;
  esac
}

# Returns whether the last decision is still valid. If not, __awsrole_event is the reason for a new one. Each path
# without a file is tested once, so a broken symlink is found at the next `cd`.
__awsrole_unchanged() {
  if [[ ! ${__awsrole_at["$PWD/"]-} || -e $__awsrole_a1 || -e $__awsrole_a2 || -e $__awsrole_a3 || -e $__awsrole_a4 ||
    -e $__awsrole_a5 || -e $__awsrole_a6 || -e $__awsrole_a7 || -e $__awsrole_a8 ]]; then __awsrole_look; fi
  __awsrole_event=prompt __awsrole_views=''
  __awsrole_fingerprint "${__awsrole_files[@]}"
  [[ ${__awsrole_seen["$__awsrole_print"]-} ]] || \builtin return 1
  [[ -z $__awsrole_digest && -e $__awsrole_generation && ( $__awsrole_deadline == 0 ||
    EPOCHSECONDS -ge __awsrole_since && EPOCHSECONDS -lt __awsrole_deadline ) ]] || __awsrole_still_valid
}

# The rest of the comparison: a new generation, a deadline, and files that are compared by digest.
__awsrole_still_valid() {
  if [[ $__awsrole_generation ]]; then [[ -e $__awsrole_generation ]]
  else __awsrole_note_generation; [[ -z $__awsrole_generation ]]; fi || \builtin return 1
  __awsrole_now=$EPOCHSECONDS
  if [[ -z $EPOCHSECONDS ]]; then \builtin printf -v __awsrole_now '%(%s)T' -1; fi # before bash 5.0
  if ((__awsrole_deadline && (__awsrole_now >= __awsrole_deadline || __awsrole_now < __awsrole_since))); then
    case $__awsrole_state in blocked) __awsrole_event=retry ;; *) __awsrole_event=due ;; esac
    \builtin return 1
  fi
  if [[ -z $__awsrole_digest ]]; then \builtin return 0; fi
  __awsrole_ask hook digest -- "${__awsrole_files[@]}" 2>/dev/null
  \builtin test "$__awsrole_answer" = "$__awsrole_digest"
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

# The value is in __awsrole_value, or the second argument if it isn't secret. __awsrole_ours is set first, so that after
# Ctrl-C there may be a record without a value, but no value without a record. A record is '' if the name is hidden,
# `:VALUE` if it is set, and `*` for a secret. The attribute -t, which has no effect on variables, distinguishes the
# variable from a local one of this name.
__awsrole_set() { # NAME [VALUE]
  if (($# > 1)); then \builtin local __awsrole_value; __awsrole_value=$2; fi
  __awsrole_hide "$1" || \builtin return 0
  case $1 in
    AWS_SECRET_ACCESS_KEY | AWS_SESSION_TOKEN) __awsrole_ours[$1]='*' ;;
    *) __awsrole_ours[$1]=:$__awsrole_value ;;
  esac
  { \builtin eval "$1=\$__awsrole_value" && \builtin declare -gtx "$1"; } 2>&- || __awsrole_failed[$1]=1
}

# Also removes local and temporary variables of this name. The prior value is that of the last, global one. It is
# declared first, so that it is found even if it has no value.
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

# Returns whether the name still has the value that awsrole set.
__awsrole_intact() {
  [[ ${__awsrole_ours[$1]-} == '*' && ${!1+x} ]] || \builtin test "${!1+:${!1}}" = "${__awsrole_ours[$1]-}"
}

# With -g, because a function of the user's may have a local variable of this name. A secret is never an argument.
__awsrole_restore() {
  if [[ ${!1@a} == *r* ]]; then __awsrole_say "$1 is readonly: its prior value cannot be restored"
  elif [[ ${__awsrole_prior[$1]} == - ]]; then \builtin unset -v "$1"
  else
    case $1 in
      *SECRET* | *_TOKEN) \builtin eval "$1=\${__awsrole_prior[$1]:1}" ;;
      *) \builtin declare -g "$1=${__awsrole_prior[$1]:1}" ;;
    esac
    if [[ ${__awsrole_prior[$1]} == +* ]]; then \builtin declare -gx +t "$1"; else \builtin declare -g +xt "$1"; fi
  fi
  \builtin unset -v "__awsrole_prior[$1]" "__awsrole_ours[$1]"
}

# Lists the credential variables whose values aren't awsrole's, as options. The binary decides which are kept.
__awsrole_find_changes() {
  \builtin local __awsrole_name
  __awsrole_changes=() __awsrole_changed='' __awsrole_keys_changed=''
  for __awsrole_name in "${__awsrole_keys[@]}" "${__awsrole_profiles[@]}"; do
    if [[ -z ${__awsrole_ours[$__awsrole_name]+x} ]] || __awsrole_intact "$__awsrole_name"; then \builtin continue; fi
    __awsrole_changes+=(--changed "$__awsrole_name") __awsrole_changed=$__awsrole_name
    if [[ $__awsrole_name != *PROFILE ]]; then __awsrole_keys_changed=keys; fi
  done
}

# Leaves: replaces awsrole's values by the prior ones. Keys are restored all together or not at all. (If an answer is
# pending, only some of them may be set.) After a manual change the prior value stays due, for when the user's is unset.
__awsrole_undo() { # [EVENT]
  \builtin local __awsrole_name
  __awsrole_find_changes
  if [[ $__awsrole_keys_changed && -z $__awsrole_pending ]]; then
    for __awsrole_name in "${__awsrole_keys[@]}"; do \builtin unset -v "__awsrole_prior[$__awsrole_name]"; done
  fi
  for __awsrole_name in "${!__awsrole_prior[@]}"; do
    if __awsrole_intact "$__awsrole_name" || [[ $__awsrole_pending && -z ${!__awsrole_name+x} ]]; then
      __awsrole_restore "$__awsrole_name"
    elif [[ ${1-} != changed ]]; then \builtin unset -v "__awsrole_prior[$__awsrole_name]"; fi
  done
  __awsrole_ours=() __awsrole_lifted=()
}

# Blocks the shell. If the variables were only unset, clients would fall back to [default] or to the instance's role.
__awsrole_block() {
  \builtin local __awsrole_name
  for __awsrole_name in "${__awsrole_prior_if_blocked[@]}"; do
    # (If a parent's `blocked` state was never adopted, the values that the parent exported are kept.)
    if [[ ${AWSROLE_STATE-} != blocked && ${!__awsrole_name+x} && ${!__awsrole_name@a} == *x* ]]; then
      __awsrole_set "AWSROLE_PRIOR_$__awsrole_name" "${!__awsrole_name}"
    fi
  done
  for __awsrole_name in "${__awsrole_hidden_if_blocked[@]}"; do __awsrole_hide "$__awsrole_name"; done
  if [[ $__awsrole_use ]]; then __awsrole_set AWSROLE_CHOSEN "$__awsrole_use_in=$__awsrole_use"; fi
  if [[ $__awsrole_profile ]]; then __awsrole_set AWSROLE_CHOSEN_PROFILE "$__awsrole_profile"; fi
  for __awsrole_name in "${__awsrole_set_if_blocked[@]}"; do
    __awsrole_set "${__awsrole_name%%=*}" "${__awsrole_name#*=}"
  done
  \builtin printf -v __awsrole_since '%(%s)T' -1
  __awsrole_state=blocked __awsrole_pending='' __awsrole_deadline=$((__awsrole_since + 30))
}

# --- ask -------------------------------------------------------------------------------------------------------------
# Sets __awsrole_answer to the output of the binary. (Without `exec`, bash would fork twice.)
__awsrole_ask() { # WORD …
  \builtin local __awsrole_program=$__awsrole_bin
  if [[ -f $__awsrole_bin-hook && -x $__awsrole_bin-hook ]]; then __awsrole_program+=-hook; fi
  __awsrole_answer=$(\builtin exec "$__awsrole_program" "$@" </dev/null)
}

# Requests a new decision. The binary gets the outer environment, so that awsrole cannot become its own source. Inputs
# and `pending` are recorded first, so that the next prompt notices if Ctrl-C interrupted this.
__awsrole_sync() {
  \builtin local IFS=' ' __awsrole_words __awsrole_answer __awsrole_problem='no complete answer'
  __awsrole_words=(--event "$__awsrole_event" --protocol @PROTOCOL@ --views)
  case $__awsrole_event:$BASH_SUBSHELL:${BASH_EXECUTION_STRING+1}${__awsrole_prompted[*]}:\
${MC_SID-}${RANGER_LEVEL-}${NNNLVL-} in
    cd:0:1:) __awsrole_words+=(--ask) ;; # not in rc files, and not below a file manager, which would hide a prompt
  esac
  \builtin test "${__awsrole_files[0]-}" = "$__awsrole_use_in" || __awsrole_use='' __awsrole_use_in=''
  if [[ $__awsrole_use ]]; then __awsrole_words+=(--role "$__awsrole_use"); fi
  if [[ $__awsrole_profile ]]; then __awsrole_words+=(--profile "$__awsrole_profile"); fi
  \builtin test "${__awsrole_files[0]-}" = "$__awsrole_file" || __awsrole_own=()

  __awsrole_note_generation
  __awsrole_state=new # until all changes are undone
  __awsrole_undo "$__awsrole_event"
  __awsrole_depth=1000 __awsrole_views=''
  __awsrole_look
  __awsrole_fingerprint "${__awsrole_files[@]}"
  __awsrole_file=${__awsrole_files[0]-} __awsrole_direnv=${DIRENV_WATCHES-} __awsrole_in_force=$__awsrole_views
  __awsrole_state=outer __awsrole_deadline=0 __awsrole_failed=() __awsrole_digest='' __awsrole_told=()
  if [[ -z $__awsrole_file$__awsrole_profile$__awsrole_keys_changed${AWSROLE_STATE+x} ]]; then \builtin return 0; fi

  __awsrole_pending=${__awsrole_keys_changed:-answer}
  if [[ -f $__awsrole_bin && -x $__awsrole_bin ]]; then
    __awsrole_ask hook export bash "${__awsrole_words[@]}" "${__awsrole_changes[@]}" -- "${__awsrole_files[@]}"
    __awsrole_apply
  else __awsrole_problem="$__awsrole_bin is gone"; fi
  if ((${#__awsrole_failed[@]})); then __awsrole_problem="readonly variables: ${!__awsrole_failed[*]}"; fi
  if [[ $__awsrole_pending ]]; then __awsrole_fail "$__awsrole_problem"; fi
}

# Undoes an answer that is missing or incomplete. Those of the changed keys that are awsrole's must not become prior
# values.
__awsrole_fail() { # PROBLEM
  if [[ $__awsrole_pending == keys ]]; then \builtin unset -v "${__awsrole_keys[@]}" 2>&-; fi
  __awsrole_undo
  __awsrole_block
  if [[ -z $__awsrole_digest && $__awsrole_in_force == */unread=* ]]; then # it is unknown who can replace them
    __awsrole_ask hook digest -- "${__awsrole_files[@]}" 2>/dev/null
    __awsrole_digest=$__awsrole_answer
  fi
  [[ $__awsrole_event == retry ]] || __awsrole_say "$1: this shell is blocked (hint: \`awsrole refresh\` retries)"
}

# Applies the answer. Its statements are parsed instead of evaluated, because `eval` would make each the text of a
# command.
__awsrole_apply() {
  \builtin local - __awsrole_line __awsrole_value __awsrole_quoted __awsrole_words
  \builtin set -f
  while [[ $__awsrole_answer ]]; do
    __awsrole_line=${__awsrole_answer%%[\'$'\n']*} __awsrole_value='' __awsrole_quoted=''
    __awsrole_answer=${__awsrole_answer:${#__awsrole_line}}
    while [[ $__awsrole_answer == \'* ]]; do # a value. A quote inside is written as 'before'\''after'
      __awsrole_answer=${__awsrole_answer:1} __awsrole_value+=${__awsrole_answer%%\'*}
      __awsrole_answer=${__awsrole_answer#*\'} __awsrole_quoted=1
      if [[ $__awsrole_answer == \\\'* ]]; then __awsrole_value+=\' __awsrole_answer=${__awsrole_answer:2}; fi
    done
    __awsrole_answer=${__awsrole_answer#$'\n'}
    __awsrole_words=($__awsrole_line)
    case ${__awsrole_words[0]-}:${#__awsrole_words[@]}:$__awsrole_quoted in
      __awsrole_set:2:1 | __awsrole_chose*:1:1 | __awsrole_file:3:* | __awsrole_adopt:3:*) "${__awsrole_words[@]}" ;;
      __awsrole_hide:2: | __awsrole_unset:2: | __awsrole_digest:2: | __awsrole_done:4:) "${__awsrole_words[@]}" ;;
      *) \builtin return 0 ;;
    esac
  done
}

# The other statements of an answer. A quoted value is in __awsrole_value. `file`: whether this shell may open a file,
# and the content that the binary read. `unset`: the remaining awsrole values of changed keys. `adopt`, `chose`,
# `chose_profile`: values that a nested shell takes over.
__awsrole_file() { __awsrole_told[$1]=$2${__awsrole_quoted:+=$__awsrole_value}; } # NUMBER own|shared ['TEXT']
__awsrole_digest() { __awsrole_digest=$1; }
__awsrole_unset() { \builtin unset -v "$1"; }
__awsrole_chose() { __awsrole_use=$__awsrole_value __awsrole_use_in=$__awsrole_file; }
__awsrole_chose_profile() { __awsrole_profile=$__awsrole_value; }
__awsrole_adopt() { # NAME unset | NAME exported 'VALUE'
  if [[ ${!1@a} == *r* ]]; then __awsrole_failed[$1]=1
  elif [[ $2 == unset ]]; then \builtin unset -v "$1"
  else \builtin eval "$1=\$__awsrole_value" && \builtin export "${1?}"; fi
}

__awsrole_done() { # STATE DEADLINE DEPTH
  \builtin local __awsrole_number=0
  __awsrole_depth=$3 __awsrole_at=() __awsrole_views='' __awsrole_own=()
  for __awsrole_place in "${__awsrole_files[@]:0:$3}"; do
    if [[ ${__awsrole_told[++__awsrole_number]-} == own* ]]; then __awsrole_own["$__awsrole_place"]=1; fi
    if [[ ${__awsrole_told[__awsrole_number]-} == own=* ]]; then
      __awsrole_views+=/1=$__awsrole_place${__awsrole_told[__awsrole_number]#own}
    else __awsrole_fingerprint "$__awsrole_place"; fi
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
  case $1 in cd | typed) __awsrole_at=(); [[ -z ${__awsrole_prompted[*]} ]] || __awsrole_note_prompt ;; esac
  if [[ $__awsrole_pending ]]; then __awsrole_event=prompt; __awsrole_fail interrupted
  elif [[ $1 != changed ]] && __awsrole_unchanged; then \builtin return 0
  else
    __awsrole_find_changes
    if [[ $1 == typed ]]; then __awsrole_event='cd'
    elif [[ $__awsrole_state == new ]] || ! \builtin test "${__awsrole_files[0]-}" = "$__awsrole_file"; then
      if [[ $1 == cd ]]; then __awsrole_event='cd'; fi # `cd` inside a project isn't an entry
    elif [[ $__awsrole_changed ]] && \builtin test "${DIRENV_WATCHES-}" = "$__awsrole_direnv"; then
      __awsrole_event=changed
      __awsrole_say "$__awsrole_changed was changed manually: inactive until you unset it or \`awsrole refresh\`"
    elif [[ $__awsrole_state == inactive ]]; then __awsrole_say 'active again: what was set manually is gone'
    fi
    __awsrole_sync
  fi
  case $__awsrole_state:$__awsrole_file in inactive:* | outer:) __awsrole_generation=/ __awsrole_digest='' ;; esac
  __awsrole_gone=''; if __awsrole_has_values; then __awsrole_gone=/gone; fi
  __awsrole_views=$__awsrole_in_force
  __awsrole_fingerprint
  __awsrole_seen=(); __awsrole_seen["$__awsrole_print"]=1
  __awsrole_run_integrations
}
__awsrole_run_integrations() { :; } # see direnv.bash

# Runs a function without options that trace, export or abort.
__awsrole_quietly() {
  \builtin local -
  \builtin set +aekuxvET
  "$@"
}

# bash restores `$?` for each element of PROMPT_COMMAND. If it is a string, this function passes it on, except with `set
# -e`.
__awsrole_prompt() {
  __awsrole_status=$?
  case $- in *[aekuxvET]*)
    case $- in *e*) __awsrole_status=0 ;; esac
    \builtin local -; \builtin set +aekuxvET; \builtin export -n __awsrole_status ;;
  esac
  if [[ ${__awsrole_prompted["$PWD/"]-} && -z $__awsrole_pending$__awsrole_asked${!__awsrole_lifted[*]} ]]; then
    __awsrole_unchanged || __awsrole_hook changed
  else __awsrole_after_move; fi
  # If bash restores `$?` itself, a failure would only run the user's ERR trap.
  [[ $__awsrole_status == 0 || ${#PROMPT_COMMAND[@]} != 1 || $PROMPT_COMMAND == __awsrole_prompt ]] ||
    \builtin return "$__awsrole_status"
}

__awsrole_note_prompt() { __awsrole_prompted=(); __awsrole_prompted["$PWD/"]=1; }

# The first prompt, one in another directory, or one for which something is left to do.
__awsrole_after_move() {
  if [[ -z ${__awsrole_prompted[*]} ]]; then __awsrole_follow # their lines may come later in the rc file
  elif [[ -z ${__awsrole_prompted["$PWD/"]-} ]]; then __awsrole_asked=${__awsrole_asked:-cd}; fi # in a function
  __awsrole_note_prompt
  if [[ $__awsrole_pending$__awsrole_asked ]] || ((${#__awsrole_lifted[@]})); then
    __awsrole_hook "${__awsrole_asked:-prompt}"
  else __awsrole_unchanged || __awsrole_hook changed; fi
}

# A script that sources this gets nothing: no hook, no command, no change.
if [[ $- == *i* ]]; then
  # (With `function`, an alias of this name isn't expanded here. If another shell gets a copy of this function, the
  # others are missing there.)
  function awsrole {
    if [[ ${__awsrole_state+x} ]]; then __awsrole_quietly __awsrole_command "$@" || \builtin return
    else \builtin command awsrole "$@"; fi
  }
  __awsrole_quietly __awsrole_register
fi
if [[ $__awsrole_allexport ]]; then \builtin set -a; fi
