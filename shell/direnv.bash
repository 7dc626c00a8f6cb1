# shellcheck shell=bash disable=SC2154 # a part of awsrole.bash
# Support for direnv, which loads and unloads at the prompt and must find the environment that it left. awsrole's values
# are removed before direnv runs and set again after it, with the values that direnv set as the new prior ones. In
# between they are in variables that aren't exported.

__awsrole_lift() {
  __awsrole_status=$?
  \builtin export -n __awsrole_status
  __awsrole_quietly __awsrole_lift_all
  if ((${#PROMPT_COMMAND[@]} < 2)); then \builtin return "$__awsrole_status"; fi
}

__awsrole_lift_all() {
  \builtin local __awsrole_name
  __awsrole_find_changes
  if [[ $__awsrole_changed && -z $__awsrole_pending ]]; then __awsrole_hook prompt; fi
  case $__awsrole_state$__awsrole_pending in role | blocked) ;; *) \builtin return 0 ;; esac
  for __awsrole_name in "${!__awsrole_prior[@]}"; do
    if ! __awsrole_intact "$__awsrole_name"; then \builtin continue; fi
    __awsrole_lifted["$__awsrole_name"]=${!__awsrole_name+:${!__awsrole_name}}
    __awsrole_restore "$__awsrole_name"
  done
  __awsrole_prior=() __awsrole_ours=()
}

__awsrole_lay() {
  \builtin local __awsrole_name __awsrole_value
  for __awsrole_name in "${!__awsrole_lifted[@]}"; do
    __awsrole_value=${__awsrole_lifted[$__awsrole_name]:1}
    if [[ ${__awsrole_lifted[$__awsrole_name]} ]]; then __awsrole_set "$__awsrole_name"
    else __awsrole_hide "$__awsrole_name"; fi
  done
  __awsrole_lifted=()
}

# The line of direnv's hook may come later in the rc file.
__awsrole_run_integrations() {
  [[ "${PROMPT_COMMAND[*]}" == *_direnv_hook* && ${PROMPT_COMMAND[0]} != __awsrole_lift* ]] || \builtin return 0
  # shellcheck disable=SC2178 # a string before bash 5.1
  if ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] >= 501)); then PROMPT_COMMAND=(__awsrole_lift "${PROMPT_COMMAND[@]}")
  else PROMPT_COMMAND=__awsrole_lift$'\n'${PROMPT_COMMAND[0]}; fi
}
