# shellcheck shell=bash
# For prompts: sets REPLY to the time left, such as `59m`, or to '' without a role. AWSROLE_EXPIRES may be inherited,
# and bash would evaluate it as an expression, so it is checked first.
awsrole_left() {
  REPLY=''
  case ${AWSROLE_STATE+:}${AWSROLE_EXPIRES-} in : | [!:]* | '' | :*[!0-9]*) \builtin return 0 ;; esac
  \builtin local __awsrole_left
  \builtin printf -v __awsrole_left '%(%s)T' -1
  __awsrole_left=$((10#$AWSROLE_EXPIRES - __awsrole_left))
  if ((__awsrole_left <= 0)); then REPLY=expired
  elif ((__awsrole_left < 60)); then REPLY=${__awsrole_left}s
  elif ((__awsrole_left < 3600)); then REPLY=$((__awsrole_left / 60))m
  else REPLY=$((__awsrole_left / 3600))h$((__awsrole_left / 60 % 60))m; fi
}
