source <(stillroom completion bash)
try() {
    COMP_LINE=$1 COMP_POINT=${#1}
    _stillroom stillroom
    echo "[$1]"
    printf '%s|\n' "${COMPREPLY[@]}"
}
try 'stillroom chec'
try 'stillroom --format '
try 'stillroom check sample.yaml data=mo'
try 'stillroom check sample.yaml params.tar'
try 'stillroom check a\ b'
try 'stillroom graph sample.yaml --format=mer'
