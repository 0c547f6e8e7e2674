#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "arguments.hpp"
#include "commands.hpp"
#include "json_output.hpp"

namespace wechatpay::bonus_commit::tool {

namespace {

/// Options whose argument is a file name.
bool takes_file(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  return type == "FILE" || type == "FOLDER";
}

/// The first sentence of a help text, without characters that are special in a shell.
std::string first_sentence(const std::string& text) {
  std::string sentence = text.substr(0, text.find_first_of(".:;[\n"));
  for (char& c : sentence) {
    if (c == '\'') c = '`';
  }
  return sentence;
}

/// The options of `command` that have a long name. Positional arguments have none.
std::vector<const CLI::Option*> long_options_of(const CLI::App& command) {
  return command.get_options([](const CLI::Option* option) { return !option->get_lnames().empty(); });
}

/// The long names of all options of `command` for which `wanted` returns true, separated by spaces.
template <typename Predicate>
std::string options_of(const CLI::App& command, Predicate wanted) {
  std::string all;
  for (const CLI::Option* option : long_options_of(command)) {
    if (wanted(*option)) all += (all.empty() ? "--" : " --") + option->get_lnames().front();
  }
  return all;
}

std::vector<const CLI::App*> subcommands_of(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

std::string names_of(const std::vector<const CLI::App*>& commands) {
  std::string all;
  for (const CLI::App* command : commands) all += (all.empty() ? "" : " ") + command->get_name();
  return all;
}

/// The options whose argument is one of a few words, with these words.
constexpr std::pair<const char*, const char*> options_with_words[] = {
    {"merchant-mode", "both direct partner"},
    {"stage", "public-key switching certificates"},
    {"kind", "invalid refused exhausted conflict poison"}};

/// The words that the option accepts; empty if it is none of these options.
std::string words_of(const CLI::Option& option) {
  for (const auto& [name, words] : options_with_words) {
    if (option.get_lnames().front() == name) return words;
  }
  return "";
}

/// What zsh offers as positional arguments of the command.
std::string zsh_arguments_of(const CLI::App& command) {
  if (command.get_name() == "completion") return "'*:shell:(bash zsh fish)'";
  if (command.get_name() == "outbox") return "'*:action:(" + outbox_actions() + ")'";
  return "'*:file:_files'";
}

std::string bash_script(const CLI::App& app) {
  const auto commands = subcommands_of(app);
  std::string script =
      "_wechatpay_bonus_commit() {\n"
      "  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} options= files=\n"
      "  if [ \"$COMP_CWORD\" = 1 ]; then\n"
      "    COMPREPLY=($(compgen -W '" +
      names_of(commands) + " --help --version' -- \"$word\"))\n    return\n  fi\n  case \"${COMP_WORDS[1]}\" in\n";
  for (const CLI::App* command : commands) {
    script += "    " + command->get_name() + ")\n      options='" +
              options_of(*command, [](const CLI::Option&) { return true; }) + "'\n      files='" +
              options_of(*command, takes_file) + "' ;;\n";
  }
  script += "  esac\n  case \"$before\" in\n";
  for (const auto& [name, words] : options_with_words) {
    script.append("    --").append(name).append(") COMPREPLY=($(compgen -W '").append(words);
    script.append("' -- \"$word\")); return ;;\n");
  }
  script +=
      "    completion) COMPREPLY=($(compgen -W 'bash zsh fish' -- \"$word\")); return ;;\n"
      "    outbox) COMPREPLY=($(compgen -W '" +
      outbox_actions() +
      "' -- \"$word\")); return ;;\n"
      "  esac\n"
      "  if [[ $word = -* ]]; then\n"
      "    COMPREPLY=($(compgen -W \"$options\" -- \"$word\"))\n"
      "  elif [[ $before != --* || \" $files \" = *\" $before \"* ]]; then\n"
      "    local IFS=$'\\n'\n"
      "    COMPREPLY=($(compgen -f -- \"$word\"))\n"
      "  fi\n"
      "}\n"
      "complete -o filenames -F _wechatpay_bonus_commit wechatpay-bonus-commit\n";
  return script;
}

std::string zsh_script(const CLI::App& app) {
  const auto commands = subcommands_of(app);
  std::string script =
      "#compdef wechatpay-bonus-commit\n"
      "_wechatpay_bonus_commit() {\n"
      "  if ((CURRENT == 2)); then\n"
      "    local -a commands=(\n";
  for (const CLI::App* command : commands) {
    script += "      '" + command->get_name() + ":" + first_sentence(command->get_description()) + "'\n";
  }
  script +=
      "    )\n"
      "    _describe command commands\n"
      "    return\n"
      "  fi\n"
      "  shift words\n"
      "  ((CURRENT--))\n"
      "  case $words[1] in\n";
  for (const CLI::App* command : commands) {
    script += "    " + command->get_name() + ")\n      _arguments";
    for (const CLI::Option* option : long_options_of(*command)) {
      script +=
          " \\\n        '--" + option->get_lnames().front() + "[" + first_sentence(option->get_description()) + "]";
      if (const std::string words = words_of(*option); !words.empty()) {
        script.append(":word:(").append(words).append(")");
      } else if (option->get_expected_max() > 0) {
        script += takes_file(*option) ? ":file:_files" : ":value: ";
      }
      script += "'";
    }
    script.append(" ").append(zsh_arguments_of(*command)).append(" ;;\n");
  }
  // zsh calls it by the file's name if it is loaded from $fpath. If it is sourced, it registers itself.
  script +=
      "  esac\n"
      "}\n"
      "if [[ $funcstack[1] == _wechatpay-bonus-commit ]]; then\n"
      "  _wechatpay_bonus_commit \"$@\"\n"
      "else\n"
      "  compdef _wechatpay_bonus_commit wechatpay-bonus-commit\n"
      "fi\n";
  return script;
}

std::string fish_script(const CLI::App& app) {
  const std::string begin = "complete -c wechatpay-bonus-commit ";
  std::string script;
  for (const CLI::App* command : subcommands_of(app)) {
    const std::string name = command->get_name();
    script.append(begin).append("-f -n __fish_use_subcommand -a ").append(name).append(" -d '");
    script.append(first_sentence(command->get_description())).append("'\n");
    for (const CLI::Option* option : long_options_of(*command)) {
      script.append(begin).append("-n '__fish_seen_subcommand_from ").append(name).append("' -l ");
      script.append(option->get_lnames().front());
      if (takes_file(*option)) script += " -r -F";
      if (const std::string words = words_of(*option); !words.empty()) {
        script.append(" -x -a '").append(words).append("'");
      }
      script += " -d '" + first_sentence(option->get_description()) + "'\n";
    }
  }
  return script + begin + "-n '__fish_seen_subcommand_from backfill check explain' -F\n" + begin +
         "-f -n '__fish_seen_subcommand_from completion' -a 'bash zsh fish'\n" + begin +
         "-f -n '__fish_seen_subcommand_from outbox' -a '" + outbox_actions() + "'\n";
}

}  // namespace

void add_completion(CLI::App& app, int& status) {
  auto shell = std::make_shared<std::string>();
  CLI::App& command = *app.add_subcommand("completion", "Prints the shell completion of this tool.");
  command.footer("For bash: source <(wechatpay-bonus-commit completion bash)");
  takes_one_of(command.add_option("SHELL", *shell, "bash, zsh or fish"), {"bash", "zsh", "fish"})->required();
  command.callback([shell, &app, &status] {
    std::cout << (*shell == "bash" ? bash_script(app) : *shell == "zsh" ? zsh_script(app) : fish_script(app));
    status = output_is_written() ? ExitStatus::success : ExitStatus::usage;
  });
}

}  // namespace wechatpay::bonus_commit::tool
