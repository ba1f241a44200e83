"""ChangeCLIP (Dong et al., ISPRS 2024): its towers, neck, context decoder and decoder."""
