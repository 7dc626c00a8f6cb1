# Completion for fish: ~/.config/fish/completions/awsrole.fish, or in ~/.config/fish/config.fish
#   awsrole completions fish | source
function __awsrole_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l at (contains -i -- -- $words; or echo 0) # the last word before another command's words
    if test "$words[2]" = sudo # they begin after its options
        set at 2
        while set -l next (math $at + 1); and string match -q -- '-*' "$words[$next]"
            set at $next
            contains -- "$words[$at]" -r --role; and set at (math $at + 1)
            test "$words[$at]" = --; and break
        end
        if test $at -gt (count $words); or begin
                test $at -eq (count $words); and string match -q -- '-*' "$current"
            end
            set at 0
        end
    end
    if test $at -gt 0
        set -l others
        test $at -lt (count $words); and set others (string escape -- $words[(math $at + 1)..-1])
        complete -C (string join ' ' -- $others $current | string collect)
    else
        AWSROLE_COMPLETE=fish command awsrole -- $words $current
    end
end
complete --command awsrole --no-files --keep-order --arguments '(__awsrole_complete)'
