process.env['GATEWAY'] = 'own port';
