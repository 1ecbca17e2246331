/** The scripts that shells read: each asks the very program that stands on the line what fits there. */

export const SCRIPTS: Readonly<Record<string, string>> = {
  bash: `# nexadist completion for bash. For every new shell: nexadist completion bash > ~/.local/share/bash-completion/completions/nexadist
_nexadist() {
  local line=\${COMP_LINE:0:COMP_POINT} words cur value about
  # Bash splits words at = and : too; we do not.
  read -r -a words <<< "$line"
  [[ $line == *[[:space:]] ]] && words+=("")
  cur=\${words[\${#words[@]}-1]}
  local colon= equals=
  [[ $COMP_WORDBREAKS == *:* && $cur == *:* ]] && colon=\${cur%"\${cur##*:}"}
  [[ $COMP_WORDBREAKS == *=* && $cur == *=* ]] && equals=\${cur%"\${cur##*=}"}
  local cut=$colon
  (( \${#equals} > \${#colon} )) && cut=$equals
  COMPREPLY=()
  while IFS=$'\\t' read -r value about; do
    if [[ $value == :files ]]; then
      compopt -o default -o bashdefault
      continue
    fi
    [[ $value == *[=:] ]] && compopt -o nospace
    COMPREPLY+=("\${value#"$cut"}")
  done < <("$1" __complete -- "\${words[@]:1}" 2>/dev/null)
}
complete -F _nexadist nexadist
`,
  zsh: `#compdef nexadist
# nexadist completion for zsh. For every new shell: nexadist completion zsh > a directory of your fpath, as _nexadist; or in .zshrc: source <(nexadist completion zsh)
_nexadist() {
  local -a items open lines
  local row value about
  lines=("\${(@f)$("\${(Q)words[1]}" __complete -- "\${(@Q)words[2,CURRENT-1]}" "\${(Q)PREFIX}" 2>/dev/null)}")
  for row in $lines; do
    if [[ $row == ":files" ]]; then
      _files
      continue
    fi
    value=\${row%%$'\\t'*}
    about=\${row#*$'\\t'}
    [[ $about == $row ]] && about=""
    if [[ $value == *[=:] ]]; then open+=("\${value//:/\\\\:}\${about:+:$about}"); else items+=("\${value//:/\\\\:}\${about:+:$about}"); fi
  done
  (( $#items )) && _describe -V -t values nexadist items
  (( $#open )) && _describe -V -t values nexadist open -S ""
  return 0
}
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
if [[ $funcstack[1] == _nexadist ]]; then _nexadist "$@"; else compdef _nexadist nexadist; fi
`,
  fish: `# nexadist completion for fish. For every new shell: nexadist completion fish > ~/.config/fish/completions/nexadist.fish
function __nexadist_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    for row in ($words[1] __complete -- $words[2..-1] "$current" 2>/dev/null)
        if test "$row" = ":files"
            __fish_complete_path "$current"
        else
            echo $row
        end
    end
end
complete -c nexadist -f -k -a '(__nexadist_complete)'
`,
};
