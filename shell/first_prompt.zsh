# Some prompts are drawn before the rc file has ended, and report other output as an error of the rc file. So the output
# of the first decision is written to a file, and printed when the line editor waits for the first line.
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
