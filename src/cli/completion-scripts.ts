/** Glue between a shell and `tokenwright __complete`, which knows the answers. */

const BASH = `# bash completion for tokenwright: source <(tokenwright completion bash)
__tokenwright_complete() {
  local line lines=() word="\${COMP_WORDS[COMP_CWORD]}"
  COMPREPLY=()
  mapfile -t lines < <(tokenwright __complete "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
  for line in "\${lines[@]}"; do
    case "$line" in
      :0) compopt -o default ;;
      :*) ;;
      *) COMPREPLY+=("\${line%%$'\\t'*}") ;;
    esac
  done
}
complete -F __tokenwright_complete tokenwright
`;

const ZSH = `#compdef tokenwright
# zsh completion for tokenwright: source <(tokenwright completion zsh)
_tokenwright() {
  local line
  local -a candidates
  for line in "\${(@f)$(tokenwright __complete "\${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
    case "$line" in
      :0) _files ;;
      :*) ;;
      *) candidates+=("\${\${line//:/\\\\:}/$'\\t'/:}") ;;
    esac
  done
  _describe tokenwright candidates
}
compdef _tokenwright tokenwright
`;

const FISH = `# fish completion for tokenwright: tokenwright completion fish | source
function __tokenwright_complete
  set -l words (commandline -opc)
  set -l current (commandline -ct)
  set -l lines (tokenwright __complete $words[2..-1] "$current" 2>/dev/null)
  if contains -- :0 $lines
    __fish_complete_path "$current"
  else
    string match -v ':*' -- $lines
  end
end
complete -c tokenwright -f -a '(__tokenwright_complete)'
`;

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

export const COMPLETION_SCRIPTS: Readonly<Record<Shell, string>> = { bash: BASH, zsh: ZSH, fish: FISH };
