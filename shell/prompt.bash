# shellcheck shell=bash disable=SC2016,SC2154,SC2178 # PS1 is expanded later, and __awsrole_state is of the hook
# The role in the prompt of bash. In ~/.bashrc, after the line that loads the hook:
#   eval "$(awsrole prompt bash)"
# It is put in front of PS1. Write ${awsrole_segment-} in PS1 to have it elsewhere. No process starts for it.

# Sets awsrole_segment, such as `[Deploy shop-prod 59m] `, and the escape sequences of its color.
__awsrole_segment() {
  \builtin local __awsrole_code=$? __awsrole_color='' REPLY='' -
  case $- in *e*) __awsrole_code=0 ;; esac
  \builtin set +aekuxvET
  awsrole_left
  awsrole_segment='' awsrole_segment_color='' awsrole_segment_end=''
  if [[ $AWSROLE_STATE == blocked ]]; then awsrole_segment='[blocked] ' __awsrole_color=31
  elif [[ $__awsrole_state == inactive ]]; then awsrole_segment='[inactive] ' __awsrole_color=31
  elif [[ $AWSROLE_ROLE ]]; then
    awsrole_segment="[$AWSROLE_ROLE${AWSROLE_ACCOUNT:+ $AWSROLE_ACCOUNT}${REPLY:+ $REPLY}] "
    awsrole_segment=${awsrole_segment//[[:cntrl:]]/?}
    case $AWSROLE_COLOR in
      black) __awsrole_color=30 ;; red) __awsrole_color=31 ;; green) __awsrole_color=32 ;; yellow) __awsrole_color=33 ;;
      blue) __awsrole_color=34 ;; magenta) __awsrole_color=35 ;; white) __awsrole_color=37 ;; *) __awsrole_color=36 ;;
    esac
  fi
  if [[ $__awsrole_color && ${TERM:-dumb} != dumb && -z $NO_COLOR ]]; then
    awsrole_segment_color=$'\e['${__awsrole_color}m awsrole_segment_end=$'\e[0m'
  fi
  # A theme may have replaced PS1.
  if [[ $PS1 != *awsrole_segment* && ${PS1@a} != *r* ]] && \builtin shopt -q promptvars; then
    PS1='\[${awsrole_segment_color-}\]${awsrole_segment-}\[${awsrole_segment_end-}\]'$PS1
  fi
  \builtin return "$__awsrole_code"
}

case $-:${BASH_VERSION-} in
  *i*:[5-9].* | *i*:4.[4-9]* | *i*:[1-9][0-9]*)
    if [[ ${PROMPT_COMMAND[*]-} != *__awsrole_segment* && ${PROMPT_COMMAND@a} != *r* ]]; then
      if ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] >= 501)); then PROMPT_COMMAND+=(__awsrole_segment)
      else PROMPT_COMMAND=${PROMPT_COMMAND:+${PROMPT_COMMAND[0]}$'\n'}__awsrole_segment; fi
    fi ;;
esac
