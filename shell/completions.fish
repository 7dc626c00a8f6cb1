# Completion for fish: ~/.config/fish/completions/awsrole.fish, or in ~/.config/fish/config.fish
#   awsrole completions fish | source
function __awsrole_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    if set -l at (contains -i -- -- $words) # another command's words
        complete -C (string join ' ' -- (string escape -- $words[(math $at + 1)..-1]) $current | string collect)
    else
        AWSROLE_COMPLETE=fish command awsrole -- $words $current
    end
end
complete --command awsrole --no-files --keep-order --arguments '(__awsrole_complete)'
