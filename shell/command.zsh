# The command `awsrole`. It handles what changes only this shell. The binary does everything else.
__awsrole_command() {
  \builtin local code=0 typed=typed name held __awsrole_standing
  \builtin local back='no role applies here: this shell has your own environment' # said if that is so
  case $#:${1-}:${2-}:${3-} in
    1:on::) __awsrole_enter_choice awsrole; return ;;
    1:off::|1:use::|2:use:[^-]*:|2:use:-:|2:use:--none:|3:use:[^-]*:--yes|3:use:[^-]*:-y|3:use:--yes:[^-]*|\
      3:use:-y:[^-]*|2:use:--profile=*:|3:use:--profile:*|*:use:--[asr]*:*)
      __awsrole_hook prompt # for manual changes in the same line
      __awsrole_look
      if [[ $__awsrole_files[1] != "$__awsrole_use_in" ]]; then __awsrole_use= __awsrole_previous=; fi
      if [[ ${2-} == --none ]]; then __awsrole_choose_none; return; fi
      if __awsrole_is_for_profile "$@"; then
        __awsrole_choose_profile "$@" || return
        __awsrole_enter_choice "${${__awsrole_profile#*=}:-your environment}" $2
        return
      fi
      held=${__awsrole_off:+-off} name=${__awsrole_use#*=}
      held=${held:-${name:--}}
      __awsrole_choose "$@" || return # a role that doesn't exist takes none away
      if [[ $__awsrole_answer == --* ]]; then __awsrole_command use $__awsrole_answer; return; fi
      name=${__awsrole_answer#*=}
      [[ ${name:--} == "$held" || $__awsrole_state == blocked ]] || __awsrole_previous=$held
      __awsrole_use=${__awsrole_answer#-off} __awsrole_use_in=$__awsrole_files[1]
      if [[ $__awsrole_answer == -off ]]; then
        __awsrole_undo
        __awsrole_off=off __awsrole_state=new __awsrole_pending=
        [[ $1 != off ]] || __awsrole_say "off: your environment is back in this shell, until \`awsrole on\`"
        return 0
      fi
      if [[ $name == - ]]; then name=; fi # a confirmed role without a name
      __awsrole_enter_choice "${name:-the default role}"
      return ;;
    *)
      __awsrole_find_standing
      AWSROLE_HOOK=$__awsrole_standing $__awsrole_bin "$@"
      code=$?
      case $#:${1-}:${2-} in
        1:refresh:|2:refresh:--all) __awsrole_state=new ;;
        *:logout:*) typed=prompt ;;
      esac
      for name in ${(k)__awsrole_ours}; do # as in AWS_PROFILE=x awsrole refresh, for this call only
        __awsrole_intact $name || __awsrole_asked=$typed
      done
      if [[ -n $__awsrole_one_call ]]; then __awsrole_asked=$typed; fi ;;
  esac
  [[ -n $__awsrole_asked ]] || __awsrole_hook $typed
  case $#:${1-}:${2-}:$code:$__awsrole_state in (1:refresh::0:blocked|2:refresh:--all:0:blocked) code=1 ;; esac
  return code
}

# Runs a function. Its status is 130 if Ctrl-C interrupts it. Without this it would be 2, with which zsh ends an
# interrupted assignment of `$(…)`. The interrupt is set again at the end, so that the rest of the line doesn't run.
__awsrole_interruptibly() {
  \builtin local code interrupted=0
  {
    { "$@"; code=$? } always { interrupted=$TRY_BLOCK_INTERRUPT TRY_BLOCK_INTERRUPT=0 }
    if (( interrupted )); then code=130; fi
    return code
  } always {
    if (( interrupted )); then TRY_BLOCK_INTERRUPT=1; fi
  }
}

# How the hook is doing in this shell, for the binary: on, off, inactive, or replaced if something else took its place
# at the prompt.
__awsrole_find_standing() {
  __awsrole_standing=${__awsrole_off:-on}
  if [[ -n $__awsrole_off ]]; then return 0
  elif [[ -z $__awsrole_prompted && ${precmd_functions[(I)__awsrole_precmd]} == 0 ]]; then __awsrole_standing=replaced
  elif [[ $__awsrole_state == inactive ]]; then __awsrole_standing=inactive; fi
}

# Are keys or a profile set while awsrole is inactive after a manual change? A secret without its ID is none.
__awsrole_has_values() {
  (( ${+AWS_ACCESS_KEY_ID} || ${+AWS_PROFILE} || ${+AWS_DEFAULT_PROFILE} ))
}

# Sets __awsrole_answer to the word of a role, '' for the default role, `-off`, or `--profile=NAME` if that was picked
# from the list. Without a role before this one, `use -` gives the environment back, or ends `awsrole off`.
__awsrole_choose() { # off | use [NAME] [--yes] | use -
  case $1:${2-}:${__awsrole_previous:-$held} in
    off:*) __awsrole_answer=-off ;;
    use::*) __awsrole_answer=$($__awsrole_bin use) ;;
    use:-:-off|use:-:-)
      __awsrole_answer=
      if [[ ${__awsrole_previous:--off} == -off && -n $__awsrole_files && -z $__awsrole_off &&
        $__awsrole_state != outer ]]; then
        __awsrole_answer=-off
        __awsrole_say "your environment is back: \`awsrole use -\` assumes the role again"
      fi ;;
    use:-:*)
      __awsrole_answer=
      if [[ -n $__awsrole_previous ]]; then __awsrole_answer=$($__awsrole_bin hook choose $__awsrole_previous); fi ;;
    *) __awsrole_answer=$($__awsrole_bin hook choose "${@:2}") ;;
  esac
}

# Returns whether a command is about the chosen profile: `use --profile`, a permission set, or `use -` where no project
# applies.
__awsrole_is_for_profile() { # off | use [WORD …]
  case $1:${2-} in
    use:--profile*|use:--[asr]*) return 0 ;; # --account, --sso-session, --role-name
    use:-) [[ -n $__awsrole_profile$__awsrole_profile_before ]] || return ;;
    *) return 1 ;;
  esac
  [[ -z $__awsrole_files || $($__awsrole_bin hook choose -) == profile ]]
}

# Sets the chosen profile, or exchanges it with the one before it. After `awsrole off` it is used again.
__awsrole_choose_profile() { # use --profile NAME | use --profile=NAME | use -
  \builtin local before="$__awsrole_profile"
  case $2:$__awsrole_off in
    -:) __awsrole_profile=$__awsrole_profile_before ;;
    -:*) ;;
    *)
      __awsrole_answer=$($__awsrole_bin hook choose "${@:2}") || return # no such profile: nothing changes
      __awsrole_profile=$__awsrole_answer ;;
  esac
  if [[ ${__awsrole_profile#*=} == "${before#*=}" ]]; then return 0; fi
  if [[ $__awsrole_state == blocked && -z $__awsrole_file ]]; then # the profile failed, and isn't used again
    [[ -n $__awsrole_profile ]] || back='your environment is back'
    return 0
  fi
  __awsrole_profile_before=$before
  if [[ -z $__awsrole_profile ]]; then
    back="your environment is back: \`awsrole use -\` uses profile ${before#*=} again"
  fi
}

# Ends the chosen role and the chosen profile. `use -` returns to them, unless they failed.
__awsrole_choose_none() { # use --none
  if [[ $__awsrole_state != blocked ]]; then
    if [[ -n $__awsrole_use ]]; then __awsrole_previous=${__awsrole_use#*=}; fi
    __awsrole_profile_before=${__awsrole_profile:-$__awsrole_profile_before}
  fi
  [[ -z $__awsrole_use$__awsrole_profile ]] || back='your environment is back in this shell'
  __awsrole_use= __awsrole_profile=
  __awsrole_enter_choice 'your environment' --none
}

# Requests the chosen role. Fails if the shell is blocked then. It is said if an option ends `awsrole off`.
__awsrole_enter_choice() { # NAME [OPTION]
  case $__awsrole_off:${2-} in off:--*) __awsrole_say 'on: awsrole is active again in this shell' ;; esac
  __awsrole_off= __awsrole_state=new
  __awsrole_hook typed
  [[ $__awsrole_state != outer ]] || __awsrole_say $back
  if [[ $ZSH_SUBSHELL != 0 && ! -t 1 ]]; then # such as `awsrole use prod | cat`
    __awsrole_say "only this subshell uses $1, not the shell that started it"
  fi
  [[ $__awsrole_state != blocked ]]
}
