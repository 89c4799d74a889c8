// The little that pages need beside htmx. No inline script, nothing evaluated.
"use strict";
