# shellcheck shell=bash disable=SC2016,SC2178 # a part of awsrole.bash; PS0 is expanded later
# How bash calls awsrole: in PROMPT_COMMAND, after a change of directory, and from PS0.

# zoxide and autoenv change directory by the builtin, in a function of their own.
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

# Ours runs first, since a DEBUG trap's timer and a terminal's integration end with their own element, but after what
# loads an environment. VS Code takes over the first element alone. In a string, others would lose PIPESTATUS.
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
    # A function or an alias of the user's stays: it is followed at the next prompt.
    if ! { \builtin declare -F "$__awsrole_name" || \builtin alias "$__awsrole_name"; } >/dev/null 2>&1; then
      \builtin eval "$__awsrole_name() {
        \\builtin $__awsrole_name \"\$@\" && if [[ \${__awsrole_state+x} ]]; then __awsrole_moved; fi
      }"
    fi
  done
  if [[ "${chpwd_functions[*]-}" != *__awsrole_moved* ]]; then chpwd_functions+=(__awsrole_moved); fi # of mise or rvm
  __awsrole_add_to_prompt
  __awsrole_follow
  # A role may expire while the prompt waits. Expansions tell (index 1); a function would set off the user's DEBUG trap.
  __awsrole_due=([1]=1)
  if ((__awsrole_version < 503)) || [[ ${PS0-} == *__awsrole_* || ${PS0@a} == *r* ]]; then \builtin return 0; fi
  \builtin shopt -q promptvars || \builtin return 0
  PS0=${PS0-}'${__awsrole_due[__awsrole_deadline && (\D{%s} >= __awsrole_deadline || \D{%s} < __awsrole_since)]'
  PS0+=':+${ __awsrole_quietly __awsrole_hook prompt; }}'
}
