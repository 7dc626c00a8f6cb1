# shellcheck shell=bash
# Measures an unchanged prompt in bash: bash --norc benches/prompt.bash SNIPPET [ROUNDS [PROMPTS]]
#
# SNIPPET is a file with the output of `awsrole hook bash`. The measurement applies to the working directory. For each
# round it prints a line: the microseconds of one call of the hook, and of one call of an empty function that does what
# any hook must do (preserve the options and the status). Both are measured alternately, so that load of the machine
# affects both alike.
set -u
snippet=$1 rounds=${2:-50} prompts=${3:-100}
# shellcheck source=/dev/null
source "$snippet"
PROMPT_COMMAND=(__awsrole_prompt)

empty() {
  \builtin local - status="$?"
  \builtin set +aeuxvET
  \builtin return "$status"
}

microseconds() { # of one call of $1
  local i start=${EPOCHREALTIME/[^0-9]/}
  for ((i = 0; i < prompts; i++)); do "$1"; done
  printf -v "$1" '%s' "$(((${EPOCHREALTIME/[^0-9]/} - start) * 10 / prompts))"
}

__awsrole_prompt
for ((round = 0; round < rounds; round++)); do
  microseconds __awsrole_prompt
  microseconds empty
  # shellcheck disable=SC2154 # assigned by microseconds
  printf '%s.%s %s.%s\n' "$((__awsrole_prompt / 10))" "$((__awsrole_prompt % 10))" "$((empty / 10))" "$((empty % 10))"
done
