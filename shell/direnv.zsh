# Support for direnv, which loads and unloads in its own hooks and must find the environment that it left. awsrole's
# values are removed before direnv runs and set again after it, with the values that direnv set as the new prior ones.
# In between they are in variables that aren't exported.

__awsrole_lift() {
  __awsrole_quietly __awsrole_lift_all
}

__awsrole_lift_all() {
  \builtin local name
  __awsrole_find_changes
  if [[ -n $__awsrole_changed && -z $__awsrole_pending ]]; then __awsrole_hook prompt; fi
  case $__awsrole_state$__awsrole_pending in role|blocked) ;; *) return 0 ;; esac
  for name in ${(k)__awsrole_prior}; do
    if ! __awsrole_intact $name; then continue; fi
    __awsrole_lifted[$name]="${(P)name+:${(P)name}}"
    __awsrole_restore $name
  done
  __awsrole_prior=() __awsrole_ours=()
}

__awsrole_lay() {
  \builtin local name __awsrole_value
  for name in ${(k)__awsrole_lifted}; do
    __awsrole_value=${__awsrole_lifted[$name]#?}
    if [[ -n ${__awsrole_lifted[$name]} ]]; then __awsrole_set $name; else __awsrole_hide $name; fi
  done
  __awsrole_lifted=()
}

# The line of direnv's hook may come later in the rc file. Its two hooks are put between awsrole's.
__awsrole_run_integrations() {
  \builtin local -a others
  if (( ${precmd_functions[(I)_direnv_hook]} )); then
    others=(${precmd_functions:#(__awsrole_(lift|precmd)|_direnv_hook)})
    precmd_functions=(__awsrole_lift _direnv_hook __awsrole_precmd $others)
  fi
  if (( ${chpwd_functions[(I)_direnv_hook]} )); then
    others=(${chpwd_functions:#(__awsrole_(lift|chpwd)|_direnv_hook)})
    chpwd_functions=(__awsrole_lift _direnv_hook __awsrole_chpwd $others)
  fi
}
