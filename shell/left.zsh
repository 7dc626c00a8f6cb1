# For prompts: sets REPLY to the time left, such as `59m`, or to '' without a role. AWSROLE_EXPIRES may be inherited,
# and zsh would evaluate it as an expression, so it is checked first.
awsrole_left() {
  REPLY=
  if (( ! ${+AWSROLE_STATE} )) || [[ ${AWSROLE_EXPIRES-} != <1-> ]]; then return 0; fi
  \builtin local left=$(( AWSROLE_EXPIRES - EPOCHSECONDS ))
  if (( left <= 0 )); then REPLY=expired
  elif (( left < 60 )); then REPLY=${left}s
  elif (( left < 3600 )); then REPLY=$(( left / 60 ))m
  else REPLY=$(( left / 3600 ))h$(( left / 60 % 60 ))m; fi
}
