/** As in package.json; `/health`, `/openapi.json` and `tidings --version` show it. A test compares the two. */
export const version = "0.1.0";
