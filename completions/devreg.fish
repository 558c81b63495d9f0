# Completion of devreg(1) for fish. It asks devreg itself, so it knows what that version knows.

function __devreg_candidates
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l value (string replace -r -- '^--[^=]*=' '' $current)
    set -l before (string replace -r -- '^((--[^=]*=)?).*' '$1' $current)
    set -e words[1]
    set words (string replace -r -- '^~/' $HOME/ $words)
    for line in (command devreg complete -- $words "$current" 2>/dev/null)
        switch $line
            case :files
                string replace -r -- '^' "$before" (__fish_complete_path "$value")
            case :directories
                string replace -r -- '^' "$before" (__fish_complete_directories "$value" '')
            case :users
                string replace -r -- '^' "$before" (__fish_complete_users)
            case '*'
                echo $line
        end
    end
end

complete -c devreg -f -a '(__devreg_candidates)'
