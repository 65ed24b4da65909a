# Completion of seqtasks for bash. Add this line to ~/.bashrc: eval "$(seqtasks completion bash)"
_seqtasks() {
    # bash splits words at = and : (COMP_WORDBREAKS): join them, and leave out what comes before the last part.
    local rest=${COMP_LINE:0:COMP_POINT} words=() word= prefix= part item i
    rest=${rest#"${rest%%[![:space:]]*}"}
    for ((i = 0; i <= COMP_CWORD; i++)); do
        if [[ $rest == [[:space:]]* ]]; then
            words+=("$word")
            word=
            rest=${rest#"${rest%%[![:space:]]*}"}
        fi
        part=${COMP_WORDS[i]}
        ((i < COMP_CWORD)) || part=$rest # up to the cursor
        prefix=$word
        word+=$part
        rest=${rest#"$part"}
    done
    [[ $part == *[!=:]* ]] || prefix=$word
    COMPREPLY=()
    while IFS= read -r item; do
        COMPREPLY+=("${item#"$prefix"}")
    done < <("${words[0]}" complete bash -- "${words[@]:1}" "$word" 2>/dev/null)
}
complete -o nospace -F _seqtasks seqtasks
