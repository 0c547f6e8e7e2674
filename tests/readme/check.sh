#!/usr/bin/env bash
# Checks that commands, options, links and errors in the README and the guides match the project.
#   check.sh SOURCE_FOLDER [TOOL]     TOOL: the program wechatpay-bonus-commit, if it is built
set -euo pipefail
cd "$1"
tool=${2:-}
fail() { echo "FAILED: $*" >&2; exit 1; }
block() { awk -v open="^\`\`\`$1\$" '$0 ~ open { on = 1; next } /^```$/ { on = 0 } on && NF' "$2"; }

# command WORD...: checks that the command is valid.
command_exists() {
  local file option help
  case "$1" in
    bash | python3) [ -f "$2" ] ;;
    doxygen) [ -f "$2" ] ;;
    dot) [ -f "$3" ] && [ -f "$5" ] ;;
    cmake | cpack | ctest | git | g++ | sudo) ;;
    examples/*) [ -x "$1" ] ;;
    build/dev/tests/*) grep -q "^add_executable(${1##*/}\b" tests/CMakeLists.txt ;;
    wechatpay-bonus-commit)
      [ -n "$tool" ] || return 0
      help=$("$tool" "$2" --help) || return 1
      for option in "${@:3}"; do
        case "$option" in --*) grep -qE -e "(^|[^-a-z])$option([^-a-z]|\$)" <<< "$help" || return 1 ;; esac
      done ;;
    *) return 1 ;;
  esac
}

# anchors FILE: prints the anchors that GitHub makes from the headings, in either language.
anchors() {
  awk '/^```/ { code = !code } !code && /^#+ / { sub(/^#+ /, ""); print tolower($0) }' "$1" |
    sed -E 's/[][`.,:;?!()"'\''+*\/&@]//g; s/(，|。|：|；|？|！|（|）|、|「|」|“|”)//g; s/ /-/g'
}

documents=(README.md src/README.md examples/*.md examples/*/*.md .github/*.md)
for document in "${documents[@]}"; do
  # Each line of a CMake snippet is also in a project that the tests build.
  while IFS= read -r line; do
    grep -qrxF --include=CMakeLists.txt -e "$line" examples tests/package ||
      fail "$document: in no CMakeLists.txt: $line"
  done < <(block cmake "$document")

  while IFS= read -r line; do
    read -ra words <<< "$line"
    command_exists "${words[@]}" || fail "$document: no such command: $line"
  done < <(block bash "$document")

  while IFS= read -r link; do
    file=${link%%#*}
    target=$document
    [ -z "$file" ] || target=$(dirname "$document")/$file
    [ -e "$target" ] || fail "$document: dead link: $link"
    case "$link" in
      *#*) grep -qxF -e "${link#*#}" <<< "$(anchors "$target")" || fail "$document: no such heading: $link" ;;
    esac
  done < <({ grep -o ']([^) ]*)' "$document" || true; } | sed 's/^](//; s/)$//' | grep -v '^https\?:' || true)
done
[ -n "$(block cmake README.md)" ] || fail "no CMake snippet"
[ -n "$(block bash README.md)" ] || fail "no command"

# Each guide exists in both languages, with the same code (except comments), headings of the same depth, and tables with
# the same number of rows. Each links the other one in its third line.
# code FILE: prints the code without comments. A // after a colon belongs to a URL.
code() { awk '/^```/ { print; inside = !inside; next } inside' "$1" | sed -E 's,(^|[[:space:]])(//|# ).*$,,; s/[[:space:]]+$//' | grep -v '^$'; }
# shape FILE: prints the # marks of its headings, and the number of table rows in each section.
shape() {
  awk '/^```/ { code = !code } code { next }
    /^#+ / { print rows " rows"; print $1; rows = 0 } /^\|/ { ++rows } END { print rows " rows" }' "$1"
}
same() { diff <("$1" "$2") <("$1" "$3"); }
pair() {
  local difference line
  [ -f "$2" ] || fail "$1 is not there in Chinese: $2"
  difference=$(same code "$1" "$2") || fail "$2: its code differs: $difference"
  difference=$(same shape "$1" "$2") || fail "$2: its headings or tables differ: $difference"
  for document in "$1" "$2"; do
    line=$(sed -n 3p "$document")
    [[ $line == *English* && $line == *简体中文* ]] || fail "$document: its third line does not name both languages"
  done
}
pair README.md examples/zh-CN/README.md
for document in examples/README.md examples/*/README.md; do
  case "$document" in examples/zh-CN/*) ;; *) pair "$document" "${document%.md}.zh-CN.md" ;; esac
done

# Words that mislead readers, or have another meaning in WeChat Pay's documents.
for word in 备用域名 商户证书 沙盒 退出状态 回填 移植文件 补单 公钥证书 商户后台 断路器; do
  ! grep -n "$word" examples/zh-CN/README.md examples/README.zh-CN.md examples/*/README.zh-CN.md || fail "the word $word"
done

# In each language, the guide to errors has a row for each enumerator, under its enumeration, and for each code that the
# library knows. The log lines that it quotes match the library's, except for the variable parts.
# rows FILE HEAD: in the tables whose first heading begins with HEAD, prints the text between the first back-quotes of
# each row.
# shellcheck disable=SC2016  # the back-quotes are Markdown's
rows() { awk -v head="^\\\\| $2" '$0 ~ head { on = 1; next } !/^\|/ { on = 0 } on' "$1" | sed -n 's/^| `\([^`]*\)`.*/\1/p'; }
enumerators() {
  awk -v open="^enum class $1 " '$0 ~ open { on = 1; next } /^};/ { on = 0 } on { sub(/,.*/, ""); print $1 }' \
    include/wechatpay/bonus_commit/error.hpp
}
codes=$(grep -hoE '"[A-Z]+(_[A-Z]+)+"' src/testing/*.cpp \
  include/wechatpay/bonus_commit/stages/advice.hpp tests/unit/answer_test.cpp | tr -d '"' | sort -u | grep -vx PARAM_ERR)
[ -n "$codes" ] || fail "no codes"
guide_to_errors() {
  local enumeration difference code line
  for enumeration in Outcome Remedy ErrorKind TransportFault VerificationFault; do
    [ -n "$(enumerators $enumeration)" ] || fail "no enumerators of $enumeration"
    difference=$(diff <(enumerators $enumeration | sort) <(rows "$1" "\`$enumeration\`" | sort)) ||
      fail "$1: $enumeration differs from error.hpp: $difference"
  done
  for code in $codes; do grep -qx "$code" <<< "$(rows "$1" "\`code\`")" || fail "$1: no row for $code"; done
  [ -n "$(rows "$1" "$2")" ] || fail "$1: no log lines"
  while IFS= read -r line; do
    grep -rqF --include=*.?pp -e "$line" include src || fail "$1: not in the library's messages: $line"
  done < <(rows "$1" "$2" | sed -E 's/ [0-9]{3}( [A-Z]+_[A-Z]+)?/…/; s/ *… */\n/g' | grep .)
}
guide_to_errors examples/errors/README.md "log line"
guide_to_errors examples/errors/README.zh-CN.md "日志"
# In each language, the index lists every public header, with names that the header declares.
index() {
  local header row name
  for header in include/wechatpay/bonus_commit/*.hpp include/wechatpay/bonus_commit/testing/*.hpp; do
    row=$(grep -F "(../$header)" "$1") || fail "$1: does not name $header"
    while IFS= read -r name; do
      grep -qw -e "$name" "$header" || fail "$1: $name is not in $header"
    done < <(cut -d "|" -f 2 <<< "$row" | grep -oE '[A-Za-z_]+')
  done
}
index examples/README.md
index examples/README.zh-CN.md
echo "the README and the guides agree with the project"
