"""An engine without a GPU: speaks LMDeploy's OpenAI dialect, really decodes pictures, fails on command."""
