// libexpat for Swift: the library's header, and the settings that keep hostile input small.
#ifndef VORTEX_CEXPAT_SHIMS_H
#define VORTEX_CEXPAT_SHIMS_H
#include <expat.h>

// A parser for UTF-8 whatever the document says, whose names come as `namespace<newline>name`.
static inline XML_Parser vortex_xml_parser(void) { return XML_ParserCreateNS("UTF-8", '\n'); }

static inline int vortex_xml_parse(XML_Parser parser, const char *bytes, int count) {
    return XML_Parse(parser, bytes, count, XML_TRUE) == XML_STATUS_OK;
}

static inline void vortex_xml_stop(XML_Parser parser) { XML_StopParser(parser, XML_FALSE); }
#endif
