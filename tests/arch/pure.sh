#!/bin/sh
# pure.sh NM LIBRARY: the core decides from what it is given. It calls for memory, strings, libsodium
# assert and random bytes, and for no file, clock, output or environment.
set -u
allowed='mem(cpy|move|set|cmp|chr|mem)|bcmp|__mem(cpy|move|set)_chk
str(n?len|n?cmp|c?spn|chr|chrnul|rchr|pbrk|dup|str)
malloc|calloc|realloc|free
snprintf|__snprintf_chk
bsearch|qsort
getrandom|__errno_location
crypto_[a-z0-9_]+|sodium_[a-z0-9_]+|randombytes_[a-z0-9_]+
__assert_fail|__stack_chk_fail|_GLOBAL_OFFSET_TABLE_
__(asan|ubsan|lsan|sanitizer|tsan|msan)_[a-z0-9_]+'
allowed=$(echo "$allowed" | paste -sd'|')
all=$("$1" "$2") || exit 2
own=$(echo "$all" | awk 'NF == 3 && $2 ~ /[TDBRVWC]/ { print $3 }')
strays=$(echo "$all" | awk 'NF == 2 && $1 == "U" { print $2 }' | sort -u |
    grep -vxE "$allowed" | grep -vxF "${own:-none}")
[ -z "$strays" ] && exit 0
echo "$2 is not pure, it uses: $strays" >&2
exit 1
