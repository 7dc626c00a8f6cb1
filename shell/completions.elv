
# What Tab offers.
use str
set edit:completion:arg-completer[awsrole] = {|@words|
  tmp E:AWSROLE_COMPLETE = fish
  for line [((external $__awsrole-binary) -- $@words 2>/dev/null | from-lines)] {
    var value @help = (str:split &max=2 "\t" $line)
    edit:complex-candidate $value &display=(str:join '  ' [$value $@help])
  }
}
