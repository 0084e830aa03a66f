#include "engine/cli/stage_text.h"

#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/cli/key_help.h"
#include "engine/cli/terminal.h"

#include <fmt/format.h>

#include <algorithm>

namespace stillroom::cli {
namespace {

constexpr int kWidestName = 24;

int name_width(const std::vector<KeyHelp>& keys) {
    int left = 0;
    for (const KeyHelp& help : keys)
        left = std::max(left, display_width(help.name));
    return std::min(left, kWidestName);
}

/// The settings, each followed by those below it, by dotted name.
std::vector<KeyHelp> all_settings(const StageType& type) {
    std::vector<KeyHelp> all;
    for (const KeyHelp& help : keys_at(type.settings, {})) {
        all.push_back(help);
        for (KeyHelp& below : keys_at(type.settings, {help.name})) {
            below.name = help.name + "." + below.name;
            all.push_back(std::move(below));
        }
    }
    return all;
}

std::vector<KeyHelp> all_ports(const StageType& type) {
    std::vector<KeyHelp> all;
    for (const PortDeclaration& port : type.ports)
        all.push_back(help_of_port(port));
    return all;
}

void write_help(JsonWriter& out, const KeyHelp& help) {
    auto text = [&](std::string_view name, const std::string& value) {
        out.key(name), value.empty() ? out.null() : out.string(value);
    };
    out.begin_object();
    out.key("name"), out.string(help.name);
    text("type", help.type);
    out.key("default");
    help.default_value ? write_json(out, *help.default_value) : out.null();
    text("unit", help.unit);
    out.key("required"), out.boolean(help.required);
    text("help", help.description);
    out.end_object();
}

}  // namespace

std::string stage_text(const StageType& type, int columns) {
    std::string out = type.name + "\n" + wrap(type.description, columns) + "\n";
    std::vector<KeyHelp> ports = all_ports(type);
    std::vector<KeyHelp> settings = all_settings(type);
    TwoColumns rows(columns, std::max(name_width(ports), name_width(settings)));
    if (!ports.empty())
        out += "\nPorts\n";
    for (const KeyHelp& help : ports)
        out += rows.row(help.name, summary_of(help));
    if (!type.outputs.empty())
        out += "\nOutputs\n";
    for (const OutputDeclaration& output : type.outputs)
        out += rows.row(output.name,
                        output.only_with.empty()
                            ? output.type
                            : fmt::format("{}, with {}", output.type, output.only_with));
    if (!settings.empty())
        out += "\nSettings\n";
    for (const KeyHelp& help : settings)
        out += rows.row(help.name, summary_of(help));
    return out;
}

void write_stage(JsonWriter& out, const StageType& type) {
    out.begin_object();
    out.key("name"), out.string(type.name);
    out.key("description"), out.string(type.description);
    out.key("file"), out.string(type.file.string());
    out.key("version"), out.integer(type.version);
    out.key("ports"), out.begin_array();
    for (const KeyHelp& help : all_ports(type))
        write_help(out, help);
    out.end_array();
    out.key("outputs"), out.begin_array();
    for (const OutputDeclaration& output : type.outputs) {
        out.begin_object();
        out.key("name"), out.string(output.name);
        out.key("type"), out.string(output.type);
        out.end_object();
    }
    out.end_array();
    out.key("settings"), out.begin_array();
    for (const KeyHelp& help : all_settings(type))
        write_help(out, help);
    out.end_array();
    out.end_object();
}

const StageType* find_stage_type(Command& command, const Catalog& catalog, const Word& word) {
    std::size_t before = command.diagnostics.errors();
    const StageType* type = catalog.find(word.text, command.diagnostics);
    if (type || command.diagnostics.errors() > before)
        return type;
    std::string hint = did_you_mean(word.text, catalog.names());
    if (hint.empty()) {  // a plugin without a stage
        std::vector<std::string> names = catalog.names();
        std::erase_if(names,
                      [&](const std::string& name) { return !name.starts_with(word.text + "."); });
        if (!names.empty())
            hint = fmt::format("there is {}", join(names));
    }
    command.diagnostics.error(0, word.where, fmt::format("no stage type is named '{}'", word.text))
        .with_hint(hint.empty() ? "`stillroom stages` lists them" : hint);
    return nullptr;
}

}  // namespace stillroom::cli
