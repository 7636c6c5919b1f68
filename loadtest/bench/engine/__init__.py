"""`harness bench engine`: how fast Inngest functions run here, beside no engine at all."""
