#pragma once

#include "engine/base/error.h"
#include "engine/base/json.h"
#include "engine/document/node.h"

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace stillroom {

/// A file that the engine wrote for a worker. Throws Error (exit 2).
std::string read_job_file(const std::filesystem::path& file);

/// Its text as JSON. Throws Error (exit 9).
NodePtr parse_job_json(std::string text, const std::filesystem::path& file);

/// The fields of one object of such a file; what has not the form that was written is refused.
class JobFields {
public:
    JobFields(const std::filesystem::path& file, const Node& map) : file_(file), map_(map) {}

    [[noreturn]] void refuse(std::string_view key, std::string_view wanted) const;

    const Node& value(std::string_view key, Kind kind, std::string_view wanted) const;
    NodePtr map(std::string_view key) const;
    const std::string& text(std::string_view key) const;
    bool boolean(std::string_view key) const;
    int count(std::string_view key, int least, int most) const;
    double seconds(std::string_view key) const;

    template <class T>
    std::vector<T> list(std::string_view key) const {
        return list_of<T>(key, value(key, Kind::list, "a list"));
    }
    template <class T>
    std::vector<T> list_of(std::string_view key, const Node& list) const {
        std::vector<T> out;
        for (const NodePtr& item : list.items) {
            if (item->kind != Kind::string)
                refuse(key, "a list of texts");
            out.emplace_back(item->text);
        }
        return out;
    }
    template <class T>
    std::map<std::string, T> texts(std::string_view key) const {
        std::map<std::string, T> out;
        for (const Entry& entry : value(key, Kind::map, "a map").entries) {
            if (entry.value->kind != Kind::string)
                refuse(key, "a map of texts");
            out.emplace(entry.key, entry.value->text);
        }
        return out;
    }

private:
    const std::filesystem::path& file_;
    const Node& map_;
};

/// Writes such fields.
class JobWriter : public JsonWriter {
public:
    JobWriter() : JsonWriter(1) {}

    void text(std::string_view name, std::string_view value);
    void integer(std::string_view name, std::int64_t value);
    void number(std::string_view name, double value);
    void boolean(std::string_view name, bool value);
    void settings(const NodePtr& map);
    void texts(std::string_view name, const std::vector<std::string>& values);
    void paths(std::string_view name, const std::vector<std::filesystem::path>& values);
};

}  // namespace stillroom
