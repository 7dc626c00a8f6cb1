# shellcheck shell=bash disable=SC2016,SC2178 # a part of awsrole.bash, and PS0 is expanded later
# Registers awsrole with bash: in PROMPT_COMMAND, after a change of directory, and in PS0.

# Runs after `cd`, so that `cd x && terraform plan` has the role. Completions change the directory only temporarily.
__awsrole_moved() {
  if [[ ${COMP_POINT+x} ]]; then \builtin return 0; fi
  if [[ -z ${__awsrole_prompted[*]}${BASH_EXECUTION_STRING+1} ]]; then __awsrole_asked=prompt # in an rc file: silent
  else __awsrole_quietly __awsrole_move ${FUNCNAME[2]+in-function}; fi
}

# If a function of the user's is running, a changed value may be its local variable. Then the next prompt decides. A
# local variable of the same value, or of a secret, lacks the attribute of those that awsrole set.
__awsrole_move() { # [in-function]
  \builtin local __awsrole_name
  __awsrole_find_changes
  for __awsrole_name in "${!__awsrole_ours[@]}"; do
    if [[ ${__awsrole_ours[$__awsrole_name]} && ${!__awsrole_name@a} != *t* ]]; then
      __awsrole_changed=$__awsrole_name
    fi
  done
  if [[ ${1-} && $__awsrole_changed ]]; then __awsrole_asked="cd"; else __awsrole_hook cd; fi
}

# zoxide and autoenv change the directory with the builtin, in functions of their own.
__awsrole_follow() {
  \builtin local __awsrole_name __awsrole_text
  for __awsrole_name in __zoxide_cd autoenv_cd; do
    if ! \builtin declare -F "$__awsrole_name" >/dev/null; then \builtin continue; fi
    __awsrole_text=$(\builtin declare -f "$__awsrole_name")
    if [[ $__awsrole_text == *__awsrole_moved* ]]; then \builtin continue; fi
    \builtin eval "__awsrole_of_$__awsrole_text
      $__awsrole_name() { __awsrole_of_$__awsrole_name \"\$@\" && __awsrole_moved; }"
  done
}

# awsrole runs first, because the timer of a DEBUG trap and a terminal's integration end with their own element, but
# after hooks that load an environment. VS Code takes over only the first element. In a string, later commands would
# lose PIPESTATUS.
__awsrole_add_to_prompt() {
  \builtin local IFS=$'\n' __awsrole_number=0 __awsrole_after=0 __awsrole_element
  for __awsrole_element in "${PROMPT_COMMAND[@]}"; do
    ((++__awsrole_number))
    case $__awsrole_element in
      *__awsrole_prompt*) \builtin return ;;
      *_direnv_hook* | *_mise_hook*) __awsrole_after=$__awsrole_number ;;
    esac
  done
  if ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] < 501)); then
    PROMPT_COMMAND=${PROMPT_COMMAND:+${PROMPT_COMMAND[0]}$'\n'}__awsrole_prompt
    \builtin return
  fi
  \builtin set -- "${PROMPT_COMMAND[@]}"
  \builtin set -- "${@:1:__awsrole_after}" __awsrole_prompt "${@:__awsrole_after+1}"
  if [[ ${TERM_PROGRAM-} == vscode ]]; then PROMPT_COMMAND=("$*"); else PROMPT_COMMAND=("$@"); fi
}

__awsrole_register() {
  \builtin local __awsrole_name __awsrole_version="$((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1]))"
  if [[ ${PROMPT_COMMAND@a} == *r* ]]; then
    __awsrole_say "PROMPT_COMMAND is readonly: awsrole can't notice changes, and is inactive in this shell"
    __awsrole_off='readonly'
    \builtin return 0
  fi
  for __awsrole_name in cd pushd popd; do
    # A function or an alias of the user's is kept. The next prompt notices what it does.
    if ! { \builtin declare -F "$__awsrole_name" || \builtin alias "$__awsrole_name"; } >/dev/null 2>&1; then
      \builtin eval "$__awsrole_name() {
        \\builtin $__awsrole_name \"\$@\" && if [[ \${__awsrole_state+x} ]]; then __awsrole_moved; fi
      }"
    fi
  done
  if [[ "${chpwd_functions[*]-}" != *__awsrole_moved* ]]; then chpwd_functions+=(__awsrole_moved); fi # mise and rvm
  __awsrole_add_to_prompt
  __awsrole_follow
  # A role may expire while the prompt waits. PS0 tests it by an expansion (index 1), because a function would run the
  # user's DEBUG trap.
  __awsrole_due=([1]=1)
  if ((__awsrole_version < 503)) || [[ ${PS0-} == *__awsrole_* || ${PS0@a} == *r* ]]; then \builtin return 0; fi
  \builtin shopt -q promptvars || \builtin return 0
  PS0=${PS0-}'${__awsrole_due[__awsrole_deadline && (\D{%s} >= __awsrole_deadline || \D{%s} < __awsrole_since)]'
  PS0+=':+${ __awsrole_quietly __awsrole_hook prompt; }}'
}
