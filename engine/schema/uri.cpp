#include "engine/schema/uri.h"

#include <optional>

namespace stillroom {
namespace {

struct Parts {
    std::optional<std::string> scheme, authority, query, fragment;
    std::string path;
};

bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool is_scheme(std::string_view text) {
    if (text.empty() || !is_letter(text[0]))
        return false;
    for (char c : text)
        if (!is_letter(c) && !(c >= '0' && c <= '9') && c != '+' && c != '-' && c != '.')
            return false;
    return true;
}

Parts parse(std::string_view uri) {
    Parts out;
    if (std::size_t at = uri.find('#'); at != std::string_view::npos) {
        out.fragment = std::string(uri.substr(at + 1));
        uri = uri.substr(0, at);
    }
    if (std::size_t at = uri.find('?'); at != std::string_view::npos) {
        out.query = std::string(uri.substr(at + 1));
        uri = uri.substr(0, at);
    }
    if (std::size_t at = uri.find(':');
        at != std::string_view::npos && is_scheme(uri.substr(0, at))) {
        out.scheme = std::string(uri.substr(0, at));
        uri = uri.substr(at + 1);
    }
    if (uri.starts_with("//")) {
        std::size_t end = uri.find('/', 2);
        out.authority = std::string(uri.substr(2, end == std::string_view::npos ? end : end - 2));
        uri = end == std::string_view::npos ? std::string_view() : uri.substr(end);
    }
    out.path = std::string(uri);
    return out;
}

std::string without_dots(std::string_view path) {
    std::string out;
    auto drop_last = [&] { out.erase(out.rfind('/') == std::string::npos ? 0 : out.rfind('/')); };
    while (!path.empty()) {
        if (path.starts_with("../")) {
            path.remove_prefix(3);
        } else if (path.starts_with("./")) {
            path.remove_prefix(2);
        } else if (path.starts_with("/./")) {
            path.remove_prefix(2);
        } else if (path == "/.") {
            path = "/";
        } else if (path.starts_with("/../")) {
            path.remove_prefix(3);
            drop_last();
        } else if (path == "/..") {
            path = "/";
            drop_last();
        } else if (path == "." || path == "..") {
            path = {};
        } else {
            std::size_t end = path.find('/', 1);
            out += path.substr(0, end);
            path = end == std::string_view::npos ? std::string_view() : path.substr(end);
        }
    }
    return out;
}

std::string merge(const Parts& base, const std::string& path) {
    if (base.authority && base.path.empty())
        return "/" + path;
    std::size_t slash = base.path.rfind('/');
    return slash == std::string::npos ? path : base.path.substr(0, slash + 1) + path;
}

std::string text(const Parts& parts) {
    std::string out;
    if (parts.scheme)
        out += *parts.scheme + ":";
    if (parts.authority)
        out += "//" + *parts.authority;
    out += parts.path;
    if (parts.query)
        out += "?" + *parts.query;
    if (parts.fragment)
        out += "#" + *parts.fragment;
    return out;
}

int hex(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    char lower = static_cast<char>(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

}  // namespace

SplitUri split_fragment(std::string_view uri) {
    std::size_t at = uri.find('#');
    if (at == std::string_view::npos)
        return {std::string(uri), "", false};
    return {std::string(uri.substr(0, at)), std::string(uri.substr(at + 1)), true};
}

std::string resolve_uri(std::string_view base_text, std::string_view reference_text) {
    Parts base = parse(base_text), reference = parse(reference_text), out;
    out.fragment = reference.fragment;
    if (reference.scheme) {
        out.scheme = reference.scheme;
        out.authority = reference.authority;
        bool hierarchical = reference.authority || reference.path.starts_with('/');
        out.path = hierarchical ? without_dots(reference.path) : reference.path;
        out.query = reference.query;
        return text(out);
    }
    out.scheme = base.scheme;
    if (reference.authority) {
        out.authority = reference.authority;
        out.path = without_dots(reference.path);
        out.query = reference.query;
        return text(out);
    }
    out.authority = base.authority;
    if (reference.path.empty()) {
        out.path = base.path;
        out.query = reference.query ? reference.query : base.query;
    } else {
        bool absolute = reference.path.starts_with('/');
        out.path = without_dots(absolute ? reference.path : merge(base, reference.path));
        out.query = reference.query;
    }
    return text(out);
}

std::string decode_percent(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        bool escape =
            text[i] == '%' && i + 2 < text.size() && hex(text[i + 1]) >= 0 && hex(text[i + 2]) >= 0;
        if (escape) {
            out.push_back(static_cast<char>(hex(text[i + 1]) * 16 + hex(text[i + 2])));
            i += 2;
        } else {
            out.push_back(text[i]);
        }
    }
    return out;
}

}  // namespace stillroom
