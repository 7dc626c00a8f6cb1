# The command `awsrole`. It handles what changes only this shell. The binary does everything else.
__awsrole_command() {
  \builtin local code=0 typed=typed answer= name __awsrole_standing
  case $#:${1-}:${2-} in
    1:off:)
      __awsrole_hook prompt # for manual changes in the same line
      __awsrole_undo
      __awsrole_off=off __awsrole_state=new __awsrole_pending= __awsrole_use= ;;
    1:on:) __awsrole_off= __awsrole_state=new ;;
    1:use:|2:use:[^-]*|2:use:-) # an unknown role changes nothing
      __awsrole_hook prompt
      if (( $# == 1 )); then answer=$($__awsrole_bin use) || return
      elif [[ $2 != - ]]; then answer=$($__awsrole_bin hook choose "$2") || return; fi
      __awsrole_look
      __awsrole_off= __awsrole_state=new __awsrole_use=$answer __awsrole_use_in=$__awsrole_files[1]
      __awsrole_hook typed
      if [[ $ZSH_SUBSHELL != 0 && ! -t 1 ]]; then # such as `awsrole use prod | cat`
        __awsrole_say "only this subshell uses ${__awsrole_use:-the default role}, not the shell that started it"
      fi
      [[ $__awsrole_state != blocked ]]
      return ;;
    *)
      __awsrole_find_standing
      AWSROLE_HOOK=$__awsrole_standing $__awsrole_bin "$@"
      code=$?
      case ${1-} in refresh) __awsrole_state=new ;; logout) typed=prompt ;; esac
      for name in ${(k)__awsrole_prior}; do # as in AWS_PROFILE=x awsrole refresh, for this call only
        __awsrole_intact $name || __awsrole_asked=$typed
      done
      if [[ -n $__awsrole_one_call ]]; then __awsrole_asked=$typed; fi ;;
  esac
  [[ -n $__awsrole_asked ]] || __awsrole_hook $typed
  return code
}

# How the hook is doing in this shell, for the binary: on, off, hands-off, or replaced if something else took its place
# at the prompt.
__awsrole_find_standing() {
  __awsrole_standing=${__awsrole_off:-on}
  if [[ -n $__awsrole_off ]]; then return 0
  elif [[ -z $__awsrole_prompted && ${precmd_functions[(I)__awsrole_precmd]} == 0 ]]; then __awsrole_standing=replaced
  elif [[ $__awsrole_state == hands-off ]]; then __awsrole_standing=hands-off; fi
}

# Are keys or a profile set while awsrole is inactive after a manual change? A secret without its ID is none.
__awsrole_has_values() {
  (( ${+AWS_ACCESS_KEY_ID} || ${+AWS_PROFILE} || ${+AWS_DEFAULT_PROFILE} ))
}
