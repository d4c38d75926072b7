"""Azure: the only place that knows Resource Manager's wire and imports the Azure SDK, each part when first used."""
