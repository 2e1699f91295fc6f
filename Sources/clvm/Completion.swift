import ArgumentParser
import OfflineCommands
import VolumeCommands

/// Completion of the commands with LVM's own command lines, which the library for the other commands'
/// lines does not know: added to the script that it makes for a shell.
enum Completion {
  private typealias Command = (name: String, summary: String, options: [CommandOption])

  private static let commands: [Command] =
    DiskCommands.all.map { ($0.name, $0.summary, $0.options) }
    + OfflineCommand.all.map { ($0.name, $0.summary, $0.options) }

  /// Those that the library does not know under the same name.
  private static var others: [Command] {
    let known = Set(Clvm.configuration.subcommands.map { $0._commandName })
    return commands.filter { !known.contains($0.name) }
  }

  /// The script for a command line that asks for one; nil for others.
  static func script(_ words: [String]) -> String? {
    let option = "--generate-completion-script"
    let shell: String
    switch words.count {
    case 1 where words[0].hasPrefix("\(option)="):
      shell = String(words[0].dropFirst(option.count + 1))
    case 2 where words[0] == option: shell = words[1]
    default: return nil
    }
    guard let known = CompletionShell(rawValue: shell) else { return nil }
    let script = Clvm.completionScript(for: known)
    switch known {
    case .bash: return script + "\n" + bash
    case .zsh: return zsh(script)
    case .fish: return script + "\n" + fish
    default: return script
    }
  }

  private static func words(of command: Command) -> String {
    command.options.flatMap { option in
      ["--\(option.name)"] + (option.letter.map { ["-\($0)"] } ?? [])
    }.joined(separator: " ")
  }

  private static var bash: String {
    let cases = commands.map { command in
      "    \(command.name)) COMPREPLY=($(compgen -W '\(words(of: command))' -- \"$word\")) ;;\n"
    }
    let names = others.map(\.name).joined(separator: " ")
    return """
      _clvm_and_lvm() {
          local word=${COMP_WORDS[COMP_CWORD]}
          if ((COMP_CWORD == 1)); then
              _clvm "$@"
              COMPREPLY+=($(compgen -W '\(names)' -- "$word"))
              return
          fi
          case ${COMP_WORDS[1]} in
      \(cases.joined())    *) _clvm "$@" ;;
          esac
      }

      complete -o filenames -o default -F _clvm_and_lvm clvm

      """
  }

  /// The library's script ends with a call of its function, which must come last.
  private static func zsh(_ script: String) -> String {
    let table = commands.map { "        \($0.name) '\(words(of: $0))'\n" }.joined()
    let names = others.map(\.name).joined(separator: " ")
    let own = """
      functions[_clvm_others]=$functions[_clvm]
      _clvm() {
          local -A lvm_options
          lvm_options=(
      \(table)    )
          if ((CURRENT == 2)); then
              compadd -- \(names)
              _clvm_others "$@"
          elif [[ -n ${lvm_options[${words[2]}]} ]]; then
              compadd -- ${=lvm_options[${words[2]}]}
              _files
          else
              _clvm_others "$@"
          fi
      }


      """
    let end = "if [[ \"${funcstack[1]}\" = _clvm ]]"
    guard let place = script.firstRange(of: end) else { return script }
    return script[..<place.lowerBound] + own + script[place.lowerBound...]
  }

  private static var fish: String {
    var lines = others.map { command in
      "complete -c clvm -n __fish_use_subcommand -f -a \(command.name) -d '\(command.summary)'"
    }
    for command in commands {
      for option in command.options {
        let letter = option.letter.map { " -s \($0)" } ?? ""
        let value = option.takesValue ? " -r" : ""
        lines.append(
          "complete -c clvm -n '__fish_seen_subcommand_from \(command.name)' -l \(option.name)"
            + letter + value)
      }
    }
    return lines.joined(separator: "\n") + "\n"
  }
}
