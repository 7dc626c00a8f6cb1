# shellcheck shell=bash disable=SC2154 # a part of awsrole.bash
# The command `awsrole`. It handles what changes only this shell. The binary does everything else.
__awsrole_command() {
  \builtin local __awsrole_status=0 __awsrole_typed=typed __awsrole_name __awsrole_held __awsrole_standing
  \builtin local __awsrole_back='no role applies here: this shell has your own environment' # said if that is so
  case $__awsrole_off:${1-}:${2-} in
    readonly:on: | readonly:off: | readonly:use: | readonly:use:[!-]* | readonly:use:- | readonly:use:--none | \
      readonly:use:--profile* | readonly:use:--[asr]*)
      __awsrole_say "PROMPT_COMMAND is readonly, so awsrole is inactive in this shell: see \`awsrole doctor\`"
      \builtin return 1 ;;
  esac
  case $#:${1-}:${2-}:${3-} in
    1:on::) __awsrole_enter_choice awsrole; \builtin return ;;
    1:off:: | 1:use:: | 2:use:-: | 2:use:--none: | 2:use:[!-]*: | 3:use:[!-]*:--yes | 3:use:[!-]*:-y | \
      3:use:--yes:[!-]* | 3:use:-y:[!-]* | 2:use:--profile=*: | 3:use:--profile:* | *:use:--[asr]*:*)
      __awsrole_hook prompt # for manual changes in the same line
      __awsrole_look
      \builtin test "${__awsrole_files[0]-}" = "$__awsrole_use_in" || __awsrole_use='' __awsrole_previous=''
      if [[ ${2-} == --none ]]; then __awsrole_choose_none; \builtin return; fi
      if __awsrole_is_for_profile "$@"; then
        __awsrole_choose_profile "$@" || \builtin return
        __awsrole_name=${__awsrole_profile#*=}
        __awsrole_enter_choice "${__awsrole_name:-your environment}" "$2"
        \builtin return
      fi
      __awsrole_held=${__awsrole_off:+-off} __awsrole_name=${__awsrole_use#*=}
      __awsrole_held=${__awsrole_held:-${__awsrole_name:--}}
      __awsrole_choose "$@" || \builtin return # a role that doesn't exist takes none away
      if [[ $__awsrole_answer == --* ]]; then __awsrole_command use "$__awsrole_answer"; \builtin return; fi
      __awsrole_name=${__awsrole_answer#*=}
      [[ ${__awsrole_name:--} == "$__awsrole_held" || $__awsrole_state == blocked ]] ||
        __awsrole_previous=$__awsrole_held
      __awsrole_use=${__awsrole_answer#-off} __awsrole_use_in=${__awsrole_files[0]-}
      if [[ $__awsrole_answer == -off ]]; then
        __awsrole_undo
        __awsrole_off=off __awsrole_state=new __awsrole_pending=''
        [[ $1 != off ]] || __awsrole_say "off: your environment is back in this shell, until \`awsrole on\`"
        \builtin return 0
      fi
      if [[ $__awsrole_name == - ]]; then __awsrole_name=''; fi # a confirmed role without a name
      __awsrole_enter_choice "${__awsrole_name:-the default role}"
      \builtin return ;;
    *)
      __awsrole_find_standing
      AWSROLE_HOOK=$__awsrole_standing "$__awsrole_bin" "$@"
      __awsrole_status=$?
      case $#:${1-}:${2-} in
        1:refresh: | 2:refresh:--all) __awsrole_state=new ;;
        *:logout:*) __awsrole_typed=prompt ;;
      esac
      for __awsrole_name in "${!__awsrole_ours[@]}"; do # as in AWS_PROFILE=x awsrole refresh, for this call only
        __awsrole_intact "$__awsrole_name" || __awsrole_asked=$__awsrole_typed
      done ;;
  esac
  [[ $__awsrole_asked ]] || __awsrole_hook "$__awsrole_typed"
  case $#:${1-}:${2-}:$__awsrole_status:$__awsrole_state in
    1:refresh::0:blocked | 2:refresh:--all:0:blocked) __awsrole_status=1 ;;
  esac
  \builtin return "$__awsrole_status"
}

# How the hook is doing in this shell, for the binary: on, off, inactive, readonly (PROMPT_COMMAND), or replaced if
# something else took its place at the prompt. (VS Code calls it from an element of its own.)
__awsrole_find_standing() {
  __awsrole_standing=${__awsrole_off:-on}
  if [[ $__awsrole_off ]]; then \builtin return 0
  elif [[ -z ${__awsrole_prompted[*]} && "${PROMPT_COMMAND[*]-}" != *__awsrole_prompt* ]]; then
    __awsrole_standing=replaced
  elif [[ $__awsrole_state == inactive ]]; then __awsrole_standing=inactive; fi
}

# Are keys or a profile set while awsrole is inactive after a manual change? A secret without its ID is none.
__awsrole_has_values() {
  [[ ${AWS_ACCESS_KEY_ID+s}${AWS_PROFILE+s}${AWS_DEFAULT_PROFILE+s} ]]
}

# Sets __awsrole_answer to the word of a role, '' for the default role, `-off`, or `--profile=NAME` if that was picked
# from the list. Without a role before this one, `use -` gives the environment back, or ends `awsrole off`.
__awsrole_choose() { # off | use [NAME] [--yes] | use -
  case $1:${2-}:${__awsrole_previous:-$__awsrole_held} in
    off:*) __awsrole_answer=-off ;;
    use::*) __awsrole_answer=$("$__awsrole_bin" use) ;;
    use:-:-off | use:-:-)
      __awsrole_answer=''
      if [[ ${__awsrole_previous:--off} == -off && $__awsrole_files && ! $__awsrole_off &&
        $__awsrole_state != outer ]]; then
        __awsrole_answer=-off
        __awsrole_say "your environment is back: \`awsrole use -\` assumes the role again"
      fi ;;
    use:-:*)
      __awsrole_answer=''
      if [[ $__awsrole_previous ]]; then __awsrole_answer=$("$__awsrole_bin" hook choose "$__awsrole_previous"); fi ;;
    *) __awsrole_answer=$("$__awsrole_bin" hook choose "${@:2}") ;;
  esac
}

# Returns whether a command is about the chosen profile: `use --profile`, a permission set, or `use -` where no project
# applies.
__awsrole_is_for_profile() { # off | use [WORD …]
  case $1:${2-} in
    use:--profile* | use:--[asr]*) \builtin return 0 ;; # --account, --sso-session, --role-name
    use:-) [[ $__awsrole_profile$__awsrole_profile_before ]] || \builtin return ;;
    *) \builtin return 1 ;;
  esac
  [[ -z ${__awsrole_files[0]-} || $("$__awsrole_bin" hook choose -) == profile ]]
}

# Sets the chosen profile, or exchanges it with the one before it. After `awsrole off` it is used again.
__awsrole_choose_profile() { # use --profile NAME | use --profile=NAME | use -
  \builtin local __awsrole_before="$__awsrole_profile"
  case $2:$__awsrole_off in
    -:) __awsrole_profile=$__awsrole_profile_before ;;
    -:*) ;;
    *)
      __awsrole_answer=$("$__awsrole_bin" hook choose "${@:2}") || \builtin return # no such profile: nothing changes
      __awsrole_profile=$__awsrole_answer ;;
  esac
  if \builtin test "${__awsrole_profile#*=}" = "${__awsrole_before#*=}"; then \builtin return 0; fi
  if [[ $__awsrole_state == blocked && -z $__awsrole_file ]]; then # the profile failed, and isn't used again
    [[ $__awsrole_profile ]] || __awsrole_back='your environment is back'
    \builtin return 0
  fi
  __awsrole_profile_before=$__awsrole_before
  if [[ -z $__awsrole_profile ]]; then
    __awsrole_back="your environment is back: \`awsrole use -\` uses profile ${__awsrole_before#*=} again"
  fi
}

# Ends the chosen role and the chosen profile. `use -` returns to them, unless they failed.
__awsrole_choose_none() { # use --none
  if [[ $__awsrole_state != blocked ]]; then
    if [[ $__awsrole_use ]]; then __awsrole_previous=${__awsrole_use#*=}; fi
    __awsrole_profile_before=${__awsrole_profile:-$__awsrole_profile_before}
  fi
  [[ -z $__awsrole_use$__awsrole_profile ]] || __awsrole_back='your environment is back in this shell'
  __awsrole_use='' __awsrole_profile=''
  __awsrole_enter_choice 'your environment' --none
}

# Requests the chosen role. Fails if the shell is blocked then. It is said if an option ends `awsrole off`.
__awsrole_enter_choice() { # NAME [OPTION]
  case $__awsrole_off:${2-} in off:--*) __awsrole_say 'on: awsrole is active again in this shell' ;; esac
  __awsrole_off='' __awsrole_state=new
  __awsrole_hook typed
  [[ $__awsrole_state != outer ]] || __awsrole_say "$__awsrole_back"
  if ((BASH_SUBSHELL)) && [[ ! -t 1 ]]; then # such as `awsrole use prod | cat`
    __awsrole_say "only this subshell uses $1, not the shell that started it"
  fi
  [[ $__awsrole_state != blocked ]]
}
