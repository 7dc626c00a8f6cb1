# The role in the prompt of zsh. In ~/.zshrc, after the line that loads the hook and the theme:
#   eval "$(awsrole prompt zsh)"
# It is put in front of PROMPT. Write %9v in PROMPT or RPROMPT to have it elsewhere. No process starts for it.
\builtin zmodload zsh/datetime

# Sets psvar[9], such as `[Deploy shop-prod 59m] `, which prompts show without expanding it.
__awsrole_segment() {
  \builtin emulate -L zsh -o extended_glob
  \builtin local REPLY= text= color=cyan start end
  awsrole_left
  if [[ ${AWSROLE_STATE-} == blocked ]]; then text='[blocked] ' color=red
  elif [[ ${__awsrole_state-} == inactive ]]; then text='[inactive] ' color=red
  elif [[ -n ${AWSROLE_ROLE-} ]]; then
    text="[$AWSROLE_ROLE${AWSROLE_ACCOUNT:+ $AWSROLE_ACCOUNT}${REPLY:+ $REPLY}] "
    text=${text//[[:cntrl:]]/?}
    if [[ ${AWSROLE_COLOR-} == (black|red|green|yellow|blue|magenta|white) ]]; then color=$AWSROLE_COLOR; fi
  fi
  psvar[9]=$text
  if [[ ${TERM:-dumb} != dumb && -z ${NO_COLOR-} ]]; then start="%F{$color}" end=%f; fi
  # A theme may have replaced PROMPT, or put its own text in front.
  PROMPT=${PROMPT//'%(9V.'(|'%F{'[a-z]##'}')%9v(|%f)'.)'/}
  if [[ $PROMPT${RPROMPT-} != *%9v* ]]; then PROMPT="%(9V.$start%9v$end.)$PROMPT"; fi
}

if [[ -o interactive ]]; then
  precmd_functions=(${precmd_functions:#__awsrole_segment} __awsrole_segment)
fi
