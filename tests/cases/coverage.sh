#!/bin/sh
# coverage.sh CODES_H FOLDER   lists the codes of messages that no case shows; fails if there are any
set -eu
shown=$(grep -rhoE '\[R[0-9]{3}\]' "$2" --include='expected.*' | tr -d '[]R' | sort -u)
missing=0
codes=$(tr '\n' ' ' <"$1" | grep -oE 'int k[A-Za-z]+ = *[0-9]+;' | tr -s ' ' '=')
for code in $codes; do
    name=${code#int=}
    code=${code##*=}
    code=${code%;}
    padded=$(printf '%03d' "$code")
    case " $(echo $shown) " in
    *" $padded "*) ;;
    *)
        echo "no case shows R$padded, ${name%%=*}"
        missing=$((missing + 1))
        ;;
    esac
done
echo "coverage: $missing codes without a case"
[ "$missing" -eq 0 ]
