package enforce

import _ "embed" // for EventSchema

// EventSchema is the JSON Schema (2020-12) of one event, as published under
// SchemaID.
//
//go:embed event.schema.json
var EventSchema string
