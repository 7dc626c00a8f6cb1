# shellcheck shell=bash disable=SC2154 # a part of awsrole.bash
# The command `awsrole`. What changes this shell alone is done here, everything else by the binary.
__awsrole_command() {
  \builtin local __awsrole_status=0 __awsrole_typed=typed __awsrole_name
  case $#:${1-}:${2-} in
    1:off:)
      __awsrole_hook prompt # what was changed manually in the same line
      __awsrole_undo
      __awsrole_off=off __awsrole_state=new __awsrole_pending='' __awsrole_use='' ;;
    1:on:) __awsrole_off='' __awsrole_state=new ;;
    1:use: | 2:use:[!-]* | 2:use:-) # a role that doesn't exist takes none away
      __awsrole_hook prompt
      __awsrole_answer=''
      if (($# == 1)); then __awsrole_answer=$("$__awsrole_bin" use) || \builtin return
      elif [[ $2 != - ]]; then __awsrole_answer=$("$__awsrole_bin" hook choose "$2") || \builtin return; fi
      __awsrole_look
      __awsrole_off='' __awsrole_state=new __awsrole_use=$__awsrole_answer __awsrole_use_in=${__awsrole_files[0]-}
      __awsrole_hook typed
      if ((BASH_SUBSHELL)) && [[ ! -t 1 ]]; then # such as `awsrole use prod | cat`
        __awsrole_say "only this subshell uses ${__awsrole_use:-the default role}, not the shell that started it"
      fi
      [[ $__awsrole_state != blocked ]]
      \builtin return ;;
    *)
      AWSROLE_HOOK=${__awsrole_off:-on} "$__awsrole_bin" "$@"
      __awsrole_status=$?
      case ${1-} in refresh) __awsrole_state=new ;; logout) __awsrole_typed=prompt ;; esac
      for __awsrole_name in "${!__awsrole_prior[@]}"; do # such as AWS_PROFILE=x awsrole refresh: for this call alone
        __awsrole_intact "$__awsrole_name" || __awsrole_asked=$__awsrole_typed
      done ;;
  esac
  [[ $__awsrole_asked ]] || __awsrole_hook "$__awsrole_typed"
  \builtin return "$__awsrole_status"
}
