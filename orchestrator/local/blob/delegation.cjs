// Preloaded into the blob server. Azurite signs user delegation keys with a seed that is printed in its source
// and takes what was signed with one whether tokens are served or not: anybody could write such a SAS. Here the
// seed comes from the account's key, so that it is this service's own and survives a restart.
"use strict";
const crypto = require("crypto");
const path = require("path");

const NAME = "USERDELEGATIONKEY_SIGNING_SEED";
const constants = require(path.join(path.dirname(process.argv[1]), "utils", "constants.js"));
const accounts = process.env.AZURITE_ACCOUNTS;
if (typeof constants[NAME] !== "string" || !accounts) {
  throw new Error("this is not the blob server that is known here: it would take signatures of anybody");
}
constants[NAME] = crypto.createHmac("sha256", accounts).update("user delegation").digest("hex");
