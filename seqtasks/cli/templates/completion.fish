# Completion of seqtasks for fish. Add this line to ~/.config/fish/config.fish: seqtasks completion fish | source
function __seqtasks_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l plain (string unescape -- "$current"; or string replace -r '^["\']' '' -- "$current") # an open quote
    command $words[1] complete fish -- $words[2..-1] "$plain" 2>/dev/null
end
complete -c seqtasks -f -a '(__seqtasks_complete)'
