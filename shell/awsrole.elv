# awsrole for elvish. It assumes the role of a project when you `cd` into it and restores the environment when you
# leave. One process at each prompt compares what the last decision rests on. If anything changed, everything that
# awsrole set is undone, and a second process decides. `awsrole hook elvish` fills in the path and the blocked state.

use path

var __awsrole-binary = @BIN@

# token: what the last answer rests on. prior: values before awsrole, $nil for unset. hook: on | off | inactive.
# pending: not answered yet. block: what is set without an answer.
var __awsrole-token __awsrole-prior __awsrole-hook = '' [&] on
var __awsrole-pending __awsrole-prompted = $false $false
var __awsrole-block = (put @BLOCK@ | to-lines | from-json)

fn __awsrole-write {|name value|
  if (eq $value $nil) { unset-env $name } else { set-env $name $value }
}

fn __awsrole-apply {|answer|
  for pair [(each {|name| put [$name $nil] } $answer[unset]) (each {|name| put [$name $answer[set][$name]] } [(keys $answer[set])])] {
    var name value = (all $pair)
    if (not (has-key $__awsrole-prior $name)) {
      set __awsrole-prior[$name] = (if (has-env $name) { get-env $name } else { put $nil })
    }
    __awsrole-write $name $value
  }
}

fn __awsrole-undo {|names|
  for name $names {
    __awsrole-write $name (if (has-key $__awsrole-prior $name) { put $__awsrole-prior[$name] } else { put $nil })
  }
  set __awsrole-prior = [&]
}

# Throws an exception without an answer.
fn __awsrole-ask {|kind @words|
  var program = $__awsrole-binary
  if (and (eq $kind export) (path:is-regular &follow-symlink=$true $program'-hook')) { set program = $program'-hook' }
  var answer = ((external $program) hook $kind json --token $__awsrole-token $@words < /dev/null | from-json)
  set __awsrole-token __awsrole-hook = $answer[token] $answer[hook]
  put $answer
}

# Without an answer the shell is blocked, whatever went wrong.
fn __awsrole-fail {
  var held = [(keys $__awsrole-prior)]
  if (or $__awsrole-pending (not-eq $held []) (path:is-regular &follow-symlink=$true $__awsrole-binary)) {
    if (not (and (has-env AWSROLE_STATE) (eq (get-env AWSROLE_STATE) blocked))) {
      echo 'awsrole: no complete answer: this shell is blocked (hint: `awsrole refresh` retries)' >&2
    }
    __awsrole-undo $held
    __awsrole-apply $__awsrole-block
    set __awsrole-token = $__awsrole-block[token]
  }
  set __awsrole-pending = $false
}

fn __awsrole-sync {|@typed|
  try {
    if $__awsrole-pending { fail interrupted }
    var changed = (__awsrole-ask export --protocol @PROTOCOL@ --compare $@typed --)
    if $changed[changed] {
      set __awsrole-pending __awsrole-block = $true $changed[block]
      __awsrole-undo $changed[undo]
      for name [(keys $changed[restore])] { __awsrole-write $name $nil }
      var answer = (__awsrole-ask export --protocol @PROTOCOL@ --)
      for name [(keys $answer[restore])] { __awsrole-write $name $answer[restore][$name] }
      __awsrole-apply $answer
      set __awsrole-pending __awsrole-block = $false $answer[block]
    }
  } catch _ { __awsrole-fail }
}

# The command `awsrole`. `use`, `on` and `off` change only this shell. The program does everything else.
edit:add-var awsrole~ {|@words|
  var first = (if (eq $words []) { put help } else { put $words[0] })
  var failed = $nil
  if (has-value [use on off] $first) {
    try { nop (__awsrole-ask command -- $@words) } catch _ { fail 'awsrole: nothing was changed' }
  } else {
    try {
      tmp E:AWSROLE_HOOK = $__awsrole-hook
      (external $__awsrole-binary) $@words
    } catch e { set failed = $e }
  }
  __awsrole-sync --typed $first
  if (not-eq $failed $nil) { fail $failed }
  if (and (eq $first use) (has-env AWSROLE_STATE) (eq (get-env AWSROLE_STATE) blocked)) { fail 'awsrole: this shell is blocked' }
}

# A `cd` in the rc file is decided at the first prompt.
set after-chdir = [$@after-chdir {|_| if $__awsrole-prompted { __awsrole-sync } }]
set edit:before-readline = [{ set __awsrole-prompted = $true; __awsrole-sync } $@edit:before-readline]
