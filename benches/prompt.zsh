# Measures an unchanged prompt in zsh: zsh -f benches/prompt.zsh SNIPPET [ROUNDS [PROMPTS]]
#
# SNIPPET is a file with the output of `awsrole hook zsh`. The measurement applies to the working directory. For each
# round it prints a line: the microseconds of one call of the hook, and of one call of an empty function. Both are
# measured alternately, so that load of the machine affects both alike.
zmodload zsh/datetime
snippet=$1 rounds=${2:-50} prompts=${3:-100}
source $snippet
typeset -ga precmd_functions

empty() {
  \builtin emulate -LR zsh -o no_aliases
}

microseconds() { # of one call of $1
  local i
  float start=$EPOCHREALTIME
  for (( i = 0; i < prompts; i++ )); do $1; done
  REPLY=$(( (EPOCHREALTIME - start) * 1e6 / prompts ))
}

__awsrole_precmd
for round in {1..$rounds}; do
  microseconds __awsrole_precmd; hook=$REPLY
  microseconds empty
  printf '%.1f %.1f\n' $hook $REPLY
done
