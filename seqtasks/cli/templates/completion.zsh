#compdef seqtasks
# Completion of seqtasks for zsh. Add this line to ~/.zshrc: eval "$(seqtasks completion zsh)"
_seqtasks() {
    local -a ended ended_texts continued continued_texts
    local line value text
    for line in "${(@f)$("${(Q)words[1]}" complete zsh -- "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)}"; do
        value=${line%%$'\t'*}
        text=${line#*$'\t'}
        text=$value${text:+  -- $text}
        if [[ -z $value ]]; then
            continue
        elif [[ $value == *[=.:/,] ]]; then
            continued+=("$value") continued_texts+=("$text")
        else
            ended+=("$value") ended_texts+=("$text")
        fi
    done
    compadd -S '' -l -d continued_texts -a continued
    compadd -l -d ended_texts -a ended
}
if [[ $funcstack[1] == _seqtasks ]]; then # a file _seqtasks in a folder of $fpath
    _seqtasks "$@"
else
    (($+functions[compdef])) || { autoload -Uz compinit && compinit; }
    compdef _seqtasks seqtasks
fi
