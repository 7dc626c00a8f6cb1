# How zsh calls awsrole: before a prompt, after a change of directory, and before a command.

# Some prompts are drawn before the rc file has ended, and report other output as an error of the rc file. So the output
# of the first decision is written to a file, and printed when the line editor waits for the first line.
# (zsh would exit if it could not create the file.)
__awsrole_first_precmd() {
  \builtin local file
  for file in =(\builtin :); do
    __awsrole_prompted=1
    __awsrole_precmd 2>|$file
    if [[ -s $file ]]; then
      \builtin exec {__awsrole_printed}<$file
      \builtin zle -F $__awsrole_printed __awsrole_print_now
    fi
  done
}

__awsrole_print_now() { # FILE DESCRIPTOR
  \builtin local text
  \builtin zle -F $1
  \builtin zle -I
  \builtin sysread -i $1 -s 65536 text
  \builtin exec {__awsrole_printed}<&-
  \builtin print -rn -u2 -- "$text"
}

# Runs after `cd`, so that `cd x && terraform plan` has the role. Completions change the directory only temporarily.
__awsrole_chpwd() {
  \builtin local name
  if (( ${+compstate} )) || [[ $ZSH_SUBSHELL != 0 && -n ${WIDGET-} ]]; then return 0; fi
  if [[ -z $__awsrole_prompted${ZSH_EXECUTION_STRING+1} ]]; then __awsrole_asked=prompt; return 0; fi # in an rc file
  for name in $__awsrole_keys $__awsrole_profiles AWS_REGION AWS_DEFAULT_REGION; do # local variables of a function
    if [[ ${(Pt)name} == *local* ]]; then __awsrole_asked=cd; fi
  done
  [[ -n $__awsrole_asked ]] || __awsrole_quietly __awsrole_hook cd
}

# The role may have expired while the prompt waited, and Ctrl-C in a prompt's hooks leaves them incomplete. zsh cannot
# distinguish a value for one call, as in `AWS_PROFILE=x awsrole allow`, from an exported one. The typed line shows it.
__awsrole_preexec() {
  \builtin local before=${3%%awsrole*}
  __awsrole_one_call=
  if [[ $3 == *awsrole* && ${before##*[;&|]} == *AWS*=* ]]; then __awsrole_one_call=1; fi
  if [[ -n $__awsrole_pending ]] || (( $#__awsrole_lifted )) || __awsrole_is_due; then
    __awsrole_quietly __awsrole_hook prompt
  fi
}

# awsrole's hooks come first, so that a theme's own hook sees the new values.
__awsrole_register() {
  precmd_functions=(__awsrole_precmd ${precmd_functions:#__awsrole_precmd})
  chpwd_functions=(__awsrole_chpwd ${chpwd_functions:#__awsrole_chpwd})
  preexec_functions=(__awsrole_preexec ${preexec_functions:#__awsrole_preexec})
  __awsrole_run_integrations
}
