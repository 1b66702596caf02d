"""The encrypted channel's end in the TD: opens sealed requests and seals what answers them (`sealed_http`)."""
