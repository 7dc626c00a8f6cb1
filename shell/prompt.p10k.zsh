# The role in the prompt of powerlevel10k. At the end of ~/.p10k.zsh:
#   eval "$(awsrole prompt p10k)"
# It is the last element on the right. No process starts for it.
\builtin zmodload zsh/datetime

function prompt_awsrole() {
  \builtin local REPLY= text= color=cyan
  awsrole_left
  if [[ ${AWSROLE_STATE-} == blocked ]]; then text='[blocked]' color=red
  elif [[ ${__awsrole_state-} == inactive ]]; then text='[inactive]' color=red
  elif [[ -n ${AWSROLE_ROLE-} ]]; then
    text="[$AWSROLE_ROLE${AWSROLE_ACCOUNT:+ $AWSROLE_ACCOUNT}${REPLY:+ $REPLY}]"
    if [[ ${AWSROLE_COLOR-} == (black|red|green|yellow|blue|magenta|white) ]]; then color=$AWSROLE_COLOR; fi
  fi
  if [[ -n $text ]]; then p10k segment -f $color -t "${text//\%/%%}"; fi
}

# The instant prompt records these calls, and expands them in a later shell.
function instant_prompt_awsrole() {
  p10k segment -f red -c '${(M)AWSROLE_STATE:#blocked}' -t '[blocked]'
  p10k segment -f cyan -c '${AWSROLE_ROLE-}' -e -t '[${AWSROLE_ROLE//\%/%%}${AWSROLE_ACCOUNT:+ $AWSROLE_ACCOUNT}]'
}

typeset -ga POWERLEVEL9K_RIGHT_PROMPT_ELEMENTS
if (( ! ${POWERLEVEL9K_RIGHT_PROMPT_ELEMENTS[(I)awsrole]} )); then POWERLEVEL9K_RIGHT_PROMPT_ELEMENTS+=(awsrole); fi
if (( ${+functions[p10k]} )); then p10k reload; fi
