#!/bin/sh
# Ask about a picture with nothing but curl: curl.sh FILE.jpg ["question"]. Address and key as for the Python examples.
set -eu
: "${OPENAI_BASE_URL:?for example http://qwen3vl-gateway.NAMESPACE/v1}" "${OPENAI_API_KEY:?your key}"
picture=${1:?usage: curl.sh FILE.jpg [QUESTION]}
question=$(printf '%s' "${2:-What do you see?}" | sed 's/[\\"]/\\&/g')
model=${MODEL:-$(curl -sSf -H "Authorization: Bearer $OPENAI_API_KEY" "$OPENAI_BASE_URL/models" |
    sed 's/.*"data":\[{"id":"\([^"]*\)".*/\1/')}
# The body goes through a pipe: a picture does not fit on a command line.
{
    printf '{"model":"%s","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/jpeg;base64,' "$model"
    base64 "$picture" | tr -d '\n'
    printf '"}},{"type":"text","text":"%s"}]}]}' "$question"
} | curl -sS --fail-with-body -H "Authorization: Bearer $OPENAI_API_KEY" -H 'Content-Type: application/json' \
    --data-binary @- "$OPENAI_BASE_URL/chat/completions"
echo
