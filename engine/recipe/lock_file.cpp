#include "engine/recipe/lock_file.h"

#include "engine/base/files.h"
#include "engine/base/json.h"
#include "engine/document/document.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

namespace stillroom {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kMostBytes = 16u << 20;

[[noreturn]] void refuse(const fs::path& file, const std::string& why) {
    throw Error({}, fmt::format("{} is no lock: {}", file.string(), why))
        .hint("`stillroom lock RECIPE` writes it anew")
        .exit_code(kExitIntegrity);
}

auto order_of(const LockItem& item) {
    return std::tie(item.kind, item.name);
}

}  // namespace

const LockItem* Lock::find(const std::string& kind, const std::string& name) const {
    auto found = std::find_if(items.begin(), items.end(), [&](const LockItem& item) {
        return item.kind == kind && item.name == name;
    });
    return found == items.end() ? nullptr : &*found;
}

void Lock::put(LockItem item) {
    auto at = std::lower_bound(
        items.begin(), items.end(), item, [](const LockItem& a, const LockItem& b) {
            return order_of(a) < order_of(b);
        });
    if (at != items.end() && order_of(*at) == order_of(item))
        *at = std::move(item);
    else
        items.insert(at, std::move(item));
}

std::string lock_text(const Lock& lock) {
    std::string out =
        "# Written by `stillroom lock`; `stillroom run --locked` refuses what differs.\n";
    for (const LockItem& item : lock.items) {
        out += fmt::format("\n- {}: {}\n", item.kind, json_quoted(item.name));
        for (const auto& [fact, value] : item.facts)
            out += fmt::format("  {}: {}\n", fact, json_quoted(value));
    }
    if (lock.items.empty())
        out += "[]\n";
    return out;
}

Lock read_lock(const fs::path& file) {
    Sources sources;
    Diagnostics diagnostics;
    Limits limits;
    limits.file_bytes = kMostBytes;
    limits.nodes = 1'000'000;
    std::string text;
    try {
        text = read_file(file, kMostBytes);
    } catch (Error& error) {
        error.exit_code(kExitIntegrity);
        throw;
    }
    NodePtr root = read_yaml(sources.add(file.string(), std::move(text)), limits, diagnostics).root;
    if (!root || !diagnostics.ok())
        refuse(file,
               diagnostics.empty()
                   ? "it is empty"
                   : sources.position(diagnostics.all().front().where.begin).text() + ": " +
                         diagnostics.all().front().message);
    if (!root->is_list())
        refuse(file, "it is not a list of items");
    Lock lock;
    for (const NodePtr& one : root->items) {
        if (!one->is_map() || one->entries.empty())
            refuse(file, "an item is a map");
        LockItem item;
        for (const Entry& entry : one->entries) {
            if (!entry.value->is_scalar())
                refuse(file, fmt::format("'{}' of an item is no text", entry.key));
            if (item.kind.empty()) {
                item.kind = entry.key;
                item.name = entry.value->text;
            } else {
                item.facts[entry.key] = entry.value->text;
            }
        }
        if (lock.find(item.kind, item.name))
            refuse(file, fmt::format("it holds {} '{}' twice", item.kind, item.name));
        lock.put(std::move(item));
    }
    return lock;
}

std::map<std::string, std::string> read_remote_pins(const fs::path& file) {
    std::map<std::string, std::string> pins;
    std::error_code error;
    if (!fs::exists(file, error))
        return pins;
    for (const LockItem& item : read_lock(file).items)
        if (item.kind == "remote")
            if (auto bytes = item.facts.find("bytes"); bytes != item.facts.end())
                pins[item.name] = bytes->second;
    return pins;
}

}  // namespace stillroom
